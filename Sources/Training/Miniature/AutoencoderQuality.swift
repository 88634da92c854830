import Backbones
import Compute
import Datasets
import Foundation
import Media
import Tensors

/// How well an autoencoder rebuilds clips of subjects that training never shows, and how large its latents are.
package struct AutoencoderQuality: Sendable {
  package let step: Int
  /// Of the pooled squared error of all clips, in dB; values -1...1 have a range of 2.
  package let psnr: Double
  /// The same of first frames, and of the clips of each category.
  package let firstFrame: Double
  package let categories: [String: Double]
  /// Deviation of the latents around the mean of their channel: the inverse of the scaling factor.
  package let latentDeviation: Double
  /// Smallest and largest mean of a channel.
  package let channelMeans: [Double]

  /// By name, for the run's report.
  package var metrics: [String: Double] {
    var metrics = [
      "psnr": psnr, "PSNR of first frames, dB": firstFrame, "deviation of latents": latentDeviation,
      "smallest mean of a latent channel": channelMeans[0], "largest mean of a latent channel": channelMeans[1],
    ]
    for (category, decibels) in categories { metrics["PSNR, \(category), dB"] = decibels }
    return metrics
  }

  /// `vae 400: 26.71 dB  first frame 28.80  camera 25.6 ...`
  package var line: String {
    let parts = categories.sorted { $0.key < $1.key }.map { "\($0.key) " + String(format: "%.1f", $0.value) }
    return String(
      format: "unseen subjects at step %d: %.2f dB, first frame %.2f, ", step, psnr, firstFrame)
      + parts.joined(separator: ", ") + String(format: "; latents deviate by %.3f", latentDeviation)
  }

  /// What one clip adds.
  private struct Part: Sendable {
    let category: MiniatureCondition.Category
    let error: Double
    let firstError: Double
    let count: Int
    /// Of each channel, and the number of values of each.
    let sums: [Double]
    let squares: [Double]
    let positions: Int
  }

  /// - Parameter scenes: each under every condition that is trained on.
  package init(
    _ model: CogVideoXAutoencoderTraining, _ stream: MiniatureStream, _ format: MiniatureClip.Format, scenes: Int,
    step: Int
  ) throws {
    let clips = (0..<scenes).flatMap { scene in
      MiniatureCondition.trained.map { stream.heldOutClip(scene: scene, member: 0, $0) }
    }
    let parts = try Workers.mapTasks(clips) { try Self.part(model, $0, format) }
    func decibels(_ parts: [Part], _ error: (Part) -> Double, frames: Int = 1) -> Double {
      let mean = parts.reduce(0) { $0 + error($1) } / Double(max(1, parts.reduce(0) { $0 + $1.count / frames }))
      return 10 * log10(4 / max(mean, 1e-12))
    }
    self.step = step
    psnr = decibels(parts, \.error)
    firstFrame = decibels(parts, \.firstError, frames: format.frames)
    categories = Dictionary(grouping: parts, by: \.category.rawValue).mapValues { decibels($0, \.error) }
    let positions = Double(parts.reduce(0) { $0 + $1.positions })
    let channels = parts[0].sums.count
    let means = (0..<channels).map { channel in parts.reduce(0) { $0 + $1.sums[channel] } / positions }
    let variances = (0..<channels).map { channel in
      parts.reduce(0) { $0 + $1.squares[channel] } / positions - means[channel] * means[channel]
    }
    latentDeviation = (variances.reduce(0, +) / Double(channels)).squareRoot()
    channelMeans = [means.min() ?? 0, means.max() ?? 0]
  }

  private static func part(
    _ model: CogVideoXAutoencoderTraining, _ clip: MiniatureClip, _ format: MiniatureClip.Format
  ) throws -> Part {
    let pixels = clip.render(format).pixelTensor()
    let latents = try model.autoencoder.encode(pixels).mean
    let rebuilt = try model.autoencoder.decode(latents).clamped(to: -1...1)
    let error = rebuilt - pixels
    let channels = (0..<latents.shape[1]).map { latents.sliced(1, $0..<$0 + 1) }
    return Part(
      category: clip.condition.category, error: error.squaredNorm(),
      firstError: error.sliced(2, 0..<1).squaredNorm(), count: error.count,
      sums: channels.map { $0.doubles().reduce(0, +) }, squares: channels.map { $0.squaredNorm() },
      positions: latents.count / channels.count)
  }
}
