import Compute
import Layers
import Media
import Schedulers
import Tensors
import TestSupport
import Testing

@testable import Backbones

@Suite("Wan training")
struct WanTrainingTests {
  private static let directory = Fixtures.path("wan-tiny/checkpoint")
  private static let geometry = ClipGeometry(height: 32, width: 48, frames: 5)

  private static func clip(_ seed: UInt64) -> EncodedClip {
    EncodedClip(tensors: [
      "video": .random([1, 32, 2, 4, 6], seed: seed), "image": .random([1, 16, 2, 4, 6], seed: seed + 1),
      "text": .random([1, 512, 32], seed: seed + 2), "picture": .random([1, 17, 32], seed: seed + 3),
    ])
  }

  private func model(_ faults: PublishedFaults = [], _ change: (inout FlowNoising) -> Void = { _ in }) throws
    -> WanTraining
  {
    var backbone = try WanBackbone(directory: Self.directory)
    change(&backbone.noising)
    return try backbone.makeTraining(
      backbone.openWeights(), Self.geometry, faults: faults, training: backbone.isPublishedTarget)
  }

  private func evaluation(
    _ model: WanTraining, _ level: Double, references: Int = 1
  ) throws -> WanTraining.Evaluation {
    try model.evaluate(
      target: Self.clip(1), references: (0..<references).map { Self.clip(UInt64(10 + 10 * $0)) },
      draws: TrainingDraws(level: level, noise: SeededNoise(seed: 1)), context: RunContext())
  }

  @Test("levels are drawn as the distribution says; published training truncates their timesteps")
  func levels() throws {
    let uniform = try model { $0.distribution = .uniform }
    #expect(try evaluation(uniform, 0.4895).level == 0.511)
    #expect(try evaluation(uniform, 0.4895).timestep == 511)
    let published = try model(.loweredTimesteps) { $0.distribution = .uniform }
    #expect(try evaluation(published, 0.4895).timestep == 510)
    // The third quartile of a logit-normal number is sigmoid(0.6745) = 0.6625.
    #expect(try evaluation(model(), 0.75).level == 0.338)
    #expect(try evaluation(model { $0.shift = 3 }, 0.75).level > 0.338)
  }

  @Test("the loss is the mean error of the flow, for one reference up to three", arguments: 1...3)
  func loss(references: Int) throws {
    let found = try evaluation(model(), 0.3, references: references)
    let errors = zip(found.prediction.doubles(), found.target.doubles()).map { ($0 - $1) * ($0 - $1) }
    let expected = errors.reduce(0, +) / Double(errors.count)
    #expect(abs(found.loss.doubles()[0] - expected) < 1e-5 * expected)
    #expect(found.loss.isRecorded)
    #expect(found.conditions.reference?.latents.shape == [1, 36, 2 * references, 4, 6])
    #expect(found.conditions.reference?.pictures.shape == [1, 17 * references, 32])
  }

  @Test("references are sampled from their posteriors and stay clean; conditions are means")
  func references() throws {
    let model = try model()
    let (quiet, noisy) = (try evaluation(model, 0.9), try evaluation(model, 0.1))
    let clips = try (#require(quiet.conditions.reference), #require(noisy.conditions.reference))
    #expect(clips.0.latents.floats() == clips.1.latents.floats())
    let latents = WanLatents(autoencoder: try WanBackbone(directory: Self.directory).autoencoder)
    let clip = Self.clip(10)
    let moments = try clip.tensor("video", shape: [1, 32, 2, 4, 6])
    let sample = latents.video(
      moments: moments, noise: SeededNoise(seed: 1).noise(for: .reference(0), shape: [1, 16, 2, 4, 6]),
      normalizesVariances: false)
    let condition = latents.condition(mean: try clip.tensor("image", shape: [1, 16, 2, 4, 6]))
    #expect(clips.0.latents.floats() == Tensor.concatenated([sample, condition], axis: 1).floats())
  }

  @Test("the fault of normalised variances changes the target; the paper's trace of noise changes the flow")
  func variants() throws {
    let right = try evaluation(model(), 0.5)
    #expect(try evaluation(model(.normalizedVariances), 0.5).target.floats() != right.target.floats())
    let paper = try evaluation(model { $0.leastNoise = 0.5 }, 0.5)
    #expect(paper.target.floats() != right.target.floats())
    #expect(paper.noisy.floats() != right.noisy.floats())
    #expect(paper.level == right.level)
  }

  @Test("all options of the expert's layers train: every parameter but the last expert's unread ones gets a gradient")
  func gradients() throws {
    let model = try model()
    let found = try evaluation(model, 0.5).loss.backward()
    let without = model.trainedParameters.filter { found[$0.tensor] == nil }
    #expect(!without.isEmpty && without.allSatisfy { $0.key.hasPrefix("blocks.4.") })
    #expect(without.filter { model.isUnread($0.key) }.count == 3)
    #expect(model.parameters.count > model.trainedParameters.count)
  }

  @Test("clips that do not fit are refused by name: missing tensors, other sizes, no reference")
  func refusals() throws {
    let model = try model()
    func loss(_ changes: [String: Tensor?], asReference: Bool) throws {
      var tensors = Self.clip(1).tensors
      for (name, tensor) in changes { tensors[name] = tensor }
      let other = EncodedClip(tensors: tensors)
      _ = try model.loss(
        target: asReference ? Self.clip(1) : other, references: [asReference ? other : Self.clip(1)],
        draws: TrainingDraws(seed: 1, sample: 0), context: RunContext())
    }
    for asReference in [false, true] {
      for name in ["video", "image", "text", "picture"] {
        #expect(throws: TrainingSampleFailure.missingTensor(name)) { try loss([name: nil], asReference: asReference) }
      }
      for (name, shape) in [
        ("video", [1, 32, 3, 4, 6]), ("video", [1, 16, 2, 4, 6]), ("image", [1, 32, 2, 4, 6]), ("text", [1, 226, 32]),
        ("picture", [1, 16, 32]), ("picture", [17]),
      ] as [(String, Shape)] {
        #expect(throws: TrainingSampleFailure.self) { try loss([name: .zeros(shape)], asReference: asReference) }
      }
    }
    #expect(throws: TrainingSampleFailure.noReference) {
      try model.loss(
        target: Self.clip(1), references: [], draws: TrainingDraws(seed: 1, sample: 0), context: RunContext())
    }
  }

  // MARK: Encoding

  private func encoded(_ faults: PublishedFaults, caption: String = "A &amp; b") throws -> [String: Tensor] {
    let encoder = try WanClipEncoder(
      WanBackbone(directory: Self.directory), BackboneOptions(faults: faults), observer: { _ in })
    let size = FrameSize(width: 60, height: 44)
    let picture = VideoClip(
      size: size, frameRate: .training,
      pixels: (0..<size.byteCount).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 / 501) })
    return try encoder.encode(pixels: .random([1, 3, 5, 32, 48], seed: 4).scaled(by: 0.3), picture: picture)
      .merging(encoder.encode(caption: caption, observer: { _ in })) { $1 }
  }

  @Test("encoded clips are what training asks for")
  func encoding() throws {
    let tensors = try encoded([])
    #expect(tensors.mapValues(\.shape) == Self.clip(1).tensors.mapValues(\.shape))
    let model = try model()
    let clip = EncodedClip(tensors: tensors)
    let loss = try model.loss(
      target: clip, references: [clip], draws: TrainingDraws(seed: 1, sample: 0), context: RunContext())
    #expect(loss.doubles()[0].isFinite)
  }

  @Test("faults change the caption and the picture, and nothing else")
  func encodingFaults() throws {
    let right = try encoded([])
    let published = try encoded([.unmaskedCaptions, .stretchedPictures])
    for name in ["video", "image"] { #expect(right[name]?.floats() == published[name]?.floats()) }
    for name in ["text", "picture"] { #expect(right[name]?.floats() != published[name]?.floats()) }
    #expect(try #require(right["text"])[0].sliced(0, 100..<512).floats().allSatisfy { $0 == 0 })
    #expect(try #require(published["text"])[0].sliced(0, 100..<512).floats().contains { $0 != 0 })
    #expect(try encoded([], caption: " A & b\n")["text"]?.floats() == right["text"]?.floats())
    #expect(try encoded(.unmaskedCaptions, caption: " A & b\n")["text"]?.floats() != published["text"]?.floats())
  }
}
