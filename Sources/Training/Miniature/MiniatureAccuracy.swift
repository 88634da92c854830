import Backbones
import Compute
import Datasets
import Foundation
import Synchronization
import Tensors

/// How often a model in training does what it is asked to: its prediction from pure noise in one step is compared with
/// the true renderings of the same image under all conditions, and should lie nearest to the right one.
///
/// Everything is of subjects that training never shows. The latents of the truths are computed once.
package final class MiniatureAccuracy: Sendable {
  package struct Result: Sendable {
    package let step: Int
    /// Share of predictions nearest to the truth they should be: over all conditions, and by category.
    package let accuracy: Double
    package let categories: [String: Double]
    /// Mean squared error of the latents.
    package let error: Double
    /// With a reference of another condition: the share nearest to what that reference shows. nil without references.
    package let followsWrong: Double?

    static let accuracyName = "one-step accuracy"
    private static let wrongName = "follows a wrong reference"

    /// By name, for the run's report.
    package var metrics: [String: Double] {
      var metrics = [Self.accuracyName: accuracy, "error of latents": error]
      metrics[Self.wrongName] = followsWrong
      for (category, share) in categories { metrics["\(Self.accuracyName), \(category)"] = share }
      return metrics
    }

    /// Whether the metric of this name lies between 0 and 1.
    static func isShare(_ name: String) -> Bool { name.hasPrefix(accuracyName) || name == wrongName }

    package var line: String {
      let parts = categories.sorted { $0.key < $1.key }.map { "\($0.key) " + String(format: "%.0f", 100 * $0.value) }
      let wrong = followsWrong.map { String(format: ", follows a wrong reference %.1f %%", 100 * $0) } ?? ""
      return String(format: "unseen subjects at step %d: one-step accuracy %.1f %% (", step, 100 * accuracy)
        + parts.joined(separator: ", ") + String(format: "), error %.4f", error) + wrong
    }
  }

  private let stream: MiniatureStream
  private let format: MiniatureClip.Format
  private let encoder: any ClipEncoder
  private let scenes: Int
  private let showsReference: Bool
  private let truths = Mutex<[Scene]?>(nil)

  /// One scene under every condition.
  private struct Scene: Sendable {
    let number: Int
    let targets: [EncodedClip]
    /// References of each condition, with the scene's timing; empty without references.
    let references: [EncodedClip]
  }

  /// - Parameter showsReference: whether references tell the condition, and captions nothing; else captions tell it.
  package init(
    _ stream: MiniatureStream, _ format: MiniatureClip.Format, encoder: any ClipEncoder, scenes: Int,
    showsReference: Bool
  ) {
    self.stream = stream
    self.format = format
    self.encoder = encoder
    self.scenes = scenes
    self.showsReference = showsReference
  }

  package func measure(_ model: CogVideoXTraining, step: Int) throws -> Result {
    let scenes = try loaded()
    let right = try Workers.mapTasks(scenes) { try Self.score(model, $0, shift: 0) }
    // Never of the same category, which has six conditions.
    let shift = 7
    let wrong = showsReference ? try Workers.mapTasks(scenes) { try Self.score(model, $0, shift: shift) } : []
    let conditions = MiniatureCondition.trained
    func share(_ scores: [Score], _ isCounted: (MiniatureCondition) -> Bool = { _ in true }) -> Double {
      let counted = scores.flatMap { score in zip(conditions, score.isRight).filter { isCounted($0.0) }.map(\.1) }
      return Double(counted.count { $0 }) / Double(max(1, counted.count))
    }
    return Result(
      step: step, accuracy: share(right),
      categories: Dictionary(
        uniqueKeysWithValues: MiniatureCondition.Category.allCases.map { category in
          (category.rawValue, share(right) { $0.category == category })
        }), error: right.reduce(0) { $0 + $1.error } / Double(max(1, right.count)),
      followsWrong: showsReference ? share(wrong) : nil)
  }

  private struct Score: Sendable {
    let isRight: [Bool]
    let error: Double
  }

  /// - Parameter shift: how many conditions further on the references are than the targets.
  private static func score(_ model: CogVideoXTraining, _ scene: Scene, shift: Int) throws -> Score {
    let count = scene.targets.count
    let samples = scene.targets.indices.map { index in
      DrawnSample(
        target: scene.targets[index],
        references: scene.references.isEmpty ? [] : [scene.references[(index + shift) % count]],
        draws: TrainingDraws(seed: 1, sample: scene.number * count + index))
    }
    let (prediction, target) = try model.predictFromNoise(samples)
    let size = target.count / count
    let (found, truths) = (prediction.reshaped([count, size]), target.reshaped([count, size]))
    let products = found.linear(truths).floats()
    let squares = (0..<count).map { truths[$0].squaredNorm() }
    let nearest = (0..<count).map { row -> Int? in
      // The prediction's own length is the same for all.
      func distance(_ truth: Int) -> Double { squares[truth] - 2 * Double(products[row * count + truth]) }
      return (0..<count).min { distance($0) < distance($1) }
    }
    return Score(
      isRight: nearest.enumerated().map { $1 == ($0 + shift) % count },
      error: (prediction - target).squaredNorm() / Double(target.count))
  }

  private func loaded() throws -> [Scene] {
    if let scenes = truths.withLock({ $0 }) { return scenes }
    let encoding = MiniatureEncoding(encoder: encoder, format: format)
    let conditions = MiniatureCondition.trained
    func encoded(_ clips: [MiniatureClip]) throws -> [EncodedClip] {
      try zip(clips, encoding.encode(clips)).map { clip, tensors in
        let caption = try encoder.encode(caption: clip.caption(isNeutral: showsReference), observer: { _ in })
        return EncodedClip(tensors: tensors.merging(caption) { $1 })
      }
    }
    let scenes = try (0..<scenes).map { number in
      Scene(
        number: number,
        targets: try encoded(conditions.map { stream.heldOutClip(scene: number, member: 0, $0) }),
        references: showsReference
          ? try encoded(conditions.map { stream.heldOutClip(scene: number, member: 1, $0) }) : [])
    }
    truths.withLock { $0 = scenes }
    return scenes
  }
}
