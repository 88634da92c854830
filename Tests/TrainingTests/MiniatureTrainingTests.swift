import Backbones
import Compute
import Datasets
import Foundation
import Layers
import Media
import Tensors
import TestSupport
import Testing

@testable import Training

/// Samples and measurements of the miniature world, on a pipeline of 16 pixels and 9 frames with fresh weights.
@Suite("Miniature training")
struct MiniatureTrainingTests {
  private let directory: TemporaryDirectory
  private let backbone: CogVideoXBackbone
  private let format: MiniatureClip.Format
  private let stream = MiniatureStream(seed: 5)

  init() throws {
    directory = try TemporaryDirectory()
    var pipeline = SmallPipeline()
    (pipeline.size, pipeline.frames) = (16, 9)
    pipeline.words = MiniatureClip.captionWords
    try pipeline.write(to: directory.file("model"))
    backbone = try CogVideoXBackbone(directory: directory.file("model"))
    var format = MiniatureClip.Format()
    (format.size, format.frames) = (16, 9)
    self.format = format
  }

  private func samples(captions: Double, showsReference: Bool) throws -> MiniatureSamples {
    var settings = MiniatureSamples.Settings()
    settings.format = format
    settings.captionShare = captions
    (settings.reuse.rounds, settings.reuse.uses) = (2, 2)
    return MiniatureSamples(
      stream, settings, encoder: try backbone.makeClipEncoder(BackboneOptions(), observer: { _ in }),
      showsReference: showsReference)
  }

  private func values(_ clip: EncodedClip) -> [String: [Float]] { clip.tensors.mapValues { $0.floats() } }

  @Test("a sample depends on its number alone, whatever was asked for before and on how many threads")
  func pure() throws {
    let (one, other) = (
      try samples(captions: 0.5, showsReference: true), try samples(captions: 0.5, showsReference: true)
    )
    let all = try withThreads(2) { try one.samples(at: Array(0..<60)) }
    for index in [59, 3, 30] {
      let alone = try withThreads(1) { try other.sample(at: index) }
      #expect(values(alone.target) == values(all[index].target))
      #expect(alone.references.map(values) == all[index].references.map(values))
    }
    #expect(one.digest == other.digest)
    #expect(try one.digest != samples(captions: 0.4, showsReference: true).digest)
  }

  @Test("references are the other clip of a pair; the share of captions decides which name the condition")
  func captions() throws {
    let neutral = try samples(captions: 0, showsReference: true).samples(at: Array(0..<24))
    let spoken = try samples(captions: 1, showsReference: false).samples(at: Array(0..<24))
    #expect(neutral.allSatisfy { $0.references.count == 1 })
    #expect(spoken.allSatisfy { $0.references.isEmpty })
    for (index, (plain, named)) in zip(neutral, spoken).enumerated() {
      #expect(values(plain.target)["video"] == values(named.target)["video"])
      #expect(values(plain.target)["text"] != values(named.target)["text"], "sample \(index)")
      #expect(values(plain.target)["video"] != values(plain.references[0])["video"])
    }
  }

  @Test("an autoencoder's samples are pixels, every condition once in a round")
  func pixels() throws {
    let source = MiniaturePixels(stream, format)
    let samples = try source.samples(at: Array(0..<3))
    #expect(samples[1].target.tensors["pixels"]?.shape == [1, 3, 9, 16, 16])
    #expect(try values(source.sample(at: 1).target) == values(samples[1].target))
    #expect(values(samples[0].target) != values(samples[1].target))
  }

  @Test("a model's accuracy: chance for one that knows nothing, all for one that knows the truth")
  func accuracy() throws {
    let encoder = try backbone.makeClipEncoder(BackboneOptions(), observer: { _ in })
    let geometry = ClipGeometry(height: 16, width: 16, frames: 9)
    let model = try backbone.makeTraining(backbone.openWeights(), geometry, faults: [], training: { _ in false })
    let accuracy = MiniatureAccuracy(stream, format, encoder: encoder, scenes: 2, showsReference: false)
    let result = try accuracy.measure(model, step: 3)
    #expect(result.accuracy < 0.3)
    #expect(result.categories.count == 4)
    #expect(result.followsWrong == nil)
    #expect(result.error > 0)
    #expect(result.line.contains("step 3"))
    #expect(try accuracy.measure(model, step: 3).line == result.line)
  }

  @Test("an autoencoder's quality: that of its definition, and the deviation of its latents")
  func quality() throws {
    let model = try CogVideoXAutoencoderTraining(FreshSource(seed: 1), backbone.autoencoder, isTrained: false)
    let quality = try AutoencoderQuality(model, stream, format, scenes: 1, step: 7)
    var (error, count, squares, places) = (0.0, 0, [Double](), 0.0)
    var channels: [[Double]] = Array(repeating: [], count: 16)
    for condition in MiniatureCondition.trained {
      let pixels = stream.heldOutClip(scene: 0, member: 0, condition).render(format).pixelTensor()
      let latents = try model.autoencoder.encode(pixels).mean
      error += ((try model.autoencoder.decode(latents).clamped(to: -1...1)) - pixels).squaredNorm()
      count += pixels.count
      for channel in 0..<16 { channels[channel] += latents.sliced(1, channel..<channel + 1).doubles() }
    }
    for values in channels {
      let mean = values.reduce(0, +) / Double(values.count)
      squares.append(values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) })
      places += Double(values.count)
    }
    let expected = 10 * (log10(4 / (error / Double(count))))
    #expect(abs(quality.psnr - expected) < 1e-6)
    #expect(abs(quality.latentDeviation - (squares.reduce(0, +) / places).squareRoot()) < 1e-4)
  }
}
