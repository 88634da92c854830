import Backbones
import Compute
import Layers
import Runtime
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite("Trainer")
struct TrainerTests {
  @Test("steps move what has a gradient; frozen weights and the last expert's tail keep every bit")
  func frozenStay() throws {
    var trainer = try TinyTraining().trainer()
    let parameters = trainer.model.parameters
    let start = parameters.map { $0.tensor.detached.floats() }
    for _ in 0..<3 { _ = try trainer.step() }
    for (parameter, before) in zip(parameters, start) {
      let isTail =
        parameter.key.contains("blocks.1.") && parameter.key.contains("_mot_ref")
        && (parameter.key.contains("to_out") || parameter.key.contains("norm2") || parameter.key.contains("ff_")
          || trainer.model.isUnread(parameter.key))
      let moves = parameter.isTrainable && !isTail
      #expect((parameter.tensor.floats() != before) == moves, "\(parameter.key)")
    }
  }

  @Test("the same bits on one thread and on two", arguments: Precision.allCases)
  func threads(precision: Precision) throws {
    func run() throws -> [String: [UInt8]] {
      var trainer = try TinyTraining(precision: precision).trainer()
      for _ in 0..<3 { _ = try trainer.step() }
      return trainer.bits
    }
    #expect(try withThreads(1, run) == withThreads(2, run))
  }

  @Test("the same bits with and without recomputation")
  func recomputation() throws {
    func run(_ recomputes: Bool) throws -> [String: [UInt8]] {
      var training = TinyTraining()
      training.steps.recomputes = recomputes
      var trainer = try training.trainer()
      for _ in 0..<2 { _ = try trainer.step() }
      return trainer.bits
    }
    #expect(try run(true) == run(false))
  }

  @Test("one to three references are trained on", arguments: 1...3)
  func references(count: Int) throws {
    var trainer = try TinyTraining(references: count).trainer()
    let record = try trainer.step()
    #expect(record.loss.isFinite)
    #expect(record.skipped == nil)
  }

  @Test("samples in batches make the update that they make one by one, whatever the number of threads")
  func batches() throws {
    var training = TinyTraining()
    training.steps.accumulation = 3
    training.steps.recomputes = false
    var single = try training.trainer()
    let expected = try (0..<2).map { _ in try single.step() }
    training.steps.batch = 2
    func batched(threads: Int) throws -> (records: [StepRecord], bits: [String: [UInt8]]) {
      try withThreads(threads) {
        var trainer = try training.trainer()
        let records = try (0..<2).map { _ in try trainer.step() }
        return (records, trainer.bits)
      }
    }
    let (records, bits) = try batched(threads: 2)
    #expect(try batched(threads: 1).bits == bits)
    for (one, other) in zip(expected, records) {
      #expect(abs(one.loss - other.loss) <= 1e-5 * one.loss)
      #expect(abs((one.gradientNorm ?? 0) - (other.gradientNorm ?? 1)) <= 1e-4 * (one.gradientNorm ?? 0))
      #expect(other.samples == one.samples)
    }
  }

  @Test("R01: a loss or gradient that is not finite skips the step, is counted, and ends the run after k in a row")
  func notFinite() throws {
    for fault in [Float.nan, .infinity] {
      var settings = StepSettings()
      settings.skipLimit = 3
      var trainer = try Trainer(
        Parabola(), source: Points([1, fault, 2, fault, fault, fault]), optimizer: AdamW(),
        schedule: LearningRateSchedule(peak: 0.1, totalSteps: 10), settings: settings, averageDecay: 0.5)
      #expect(try trainer.step().skipped == nil)
      let good = trainer.bits
      #expect(try trainer.step().skipped != nil)
      #expect(trainer.bits == good)
      try trainer.checkForDivergence()
      _ = try trainer.step()
      #expect(trainer.progress.skippedInRow == 0)
      #expect(trainer.bits != good)
      for _ in 0..<3 { _ = try trainer.step() }
      #expect(trainer.progress.skipped == 4)
      #expect(throws: TrainingFailure.notFinite(step: 6, inRow: 3)) { try trainer.checkForDivergence() }
    }
  }

  @Test("R01: a run that ends before there were too many such steps, but had no others, ends as if there were")
  func noEffect() throws {
    let directory = try TemporaryDirectory()
    #expect(throws: TrainingFailure.notFinite(step: 3, inRow: 3)) {
      try TinyTraining().run(directory.file("run"), to: 3, source: BrokenClips(broken: 0..<3))
    }
    // A later process is judged by its own steps.
    try TinyTraining().run(directory.file("run"), to: 5, source: BrokenClips(broken: 0..<4))
    try TinyTraining().run(directory.file("run"), to: 5, source: BrokenClips(broken: 0..<4))
  }

  @Test("R01: a finite loss with an infinite gradient is skipped too")
  func infiniteGradient() throws {
    var trainer = try Trainer(
      Parabola(steepness: 1e30), source: Points([0]), optimizer: AdamW(),
      schedule: LearningRateSchedule(peak: 0.1, totalSteps: 10))
    let record = try trainer.step()
    #expect(record.loss == 0)
    #expect(record.skipped == "a gradient is not finite")
    #expect(trainer.model.parameters[0].tensor.floats() == [0])
  }

  /// 1e-40, which has lost some of its digits.
  private static let faintest = Float(bitPattern: 71_362)

  @Test("R06: weights and clips too small to be normal train to finite values")
  func subnormals() throws {
    struct FaintClips: SampleSource {
      let digest = "faint clips"
      func sample(at index: Int) -> TrainingSample {
        let sample = RandomClips().sample(at: index)
        func faint(_ clip: EncodedClip) -> EncodedClip {
          EncodedClip(tensors: clip.tensors.mapValues { .filled($0.shape, with: TrainerTests.faintest) })
        }
        return TrainingSample(target: faint(sample.target), references: sample.references.map(faint))
      }
    }
    var trainer = try TinyTraining().trainer(source: FaintClips())
    for parameter in trainer.model.trainedParameters.prefix(20) {
      parameter.update(to: .filled(parameter.shape, with: -Self.faintest))
    }
    for _ in 0..<2 {
      let record = try trainer.step()
      #expect(record.loss.isFinite && record.gradientNorm?.isFinite == true && record.skipped == nil)
    }
    for weight in trainer.snapshot.weights { #expect(weight.tensor.nonFiniteCount == 0, "\(weight.key)") }
  }

  @Test("a model without anything to train is refused")
  func nothingToTrain() throws {
    #expect(throws: TrainingFailure.nothingToTrain) {
      try Trainer(
        Parabola(isTrainable: false), source: Points([0]), optimizer: AdamW(),
        schedule: LearningRateSchedule(peak: 0.1, totalSteps: 10))
    }
  }
}

/// loss = (steepness (w - x))^2 for one weight, which starts at 0, and the sample's value x.
struct Parabola: TrainingModel {
  let parameters: [Parameter]
  private let steepness: Float

  init(steepness: Float = 1, isTrainable: Bool = true) {
    self.steepness = steepness
    parameters = [Parameter(key: "w", tensor: Tensor([0]), isTrainable: isTrainable)]
  }

  func loss(
    target: EncodedClip, references: [EncodedClip], draws: TrainingDraws, context: RunContext
  ) -> Tensor {
    let error = (parameters[0].tensor - (target.tensors["video"] ?? Tensor([0]))).scaled(by: steepness)
    // With steepness the slope along `error` alone overflows.
    return steepness == 1 ? error * error : error * Tensor([steepness])
  }

  func isUnread(_ key: String) -> Bool { false }
}

struct Points: SampleSource {
  let values: [Float]
  let digest = "points"

  init(_ values: [Float]) { self.values = values }

  func sample(at index: Int) -> TrainingSample {
    TrainingSample(target: EncodedClip(tensors: ["video": Tensor([values[index]])]), references: [])
  }
}

/// Clips of noise, some of which are no numbers.
private struct BrokenClips: SampleSource {
  let broken: Range<Int>
  let digest = "broken clips"

  func sample(at index: Int) -> TrainingSample {
    let sample = RandomClips().sample(at: index)
    guard broken.contains(index) else { return sample }
    var tensors = sample.target.tensors
    tensors["video"] = .filled([1, 32, 3, 6, 8], with: .nan)
    return TrainingSample(target: EncodedClip(tensors: tensors), references: sample.references)
  }
}
