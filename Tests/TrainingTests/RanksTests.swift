import Backbones
import Compute
import Layers
import Runtime
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import Training

/// Data-parallel training with ranks as threads, whose gradients go through buckets as they do between processes.
@Suite("Training on several ranks")
struct RanksTests {
  /// Small buckets, so that the tiny model has many.
  private func training(accumulation: Int = 1, zero: Bool = false) -> TinyTraining {
    var training = TinyTraining()
    training.steps.accumulation = accumulation
    training.steps.shardsOptimizer = zero
    training.steps.bucketBytes = 20_000
    return training
  }

  @Test("ranks with a sample each have the gradients of one process with as many, within 1e-6", arguments: [2, 3])
  func gradients(size: Int) throws {
    let alone = GradientRecorder()
    var trainer = try training(accumulation: size).trainer(optimizer: alone)
    let record = try trainer.step()
    let (expected, shared) = (alone.gradients, training())
    #expect(expected.count > 10)
    let results = try Exchange(size: size).run { ranks in
      let recorder = GradientRecorder()
      var trainer = try shared.trainer(on: ranks, optimizer: recorder)
      return (try trainer.step(), recorder.gradients)
    }
    for (found, gradients) in results {
      #expect(abs(found.loss - record.loss) <= 1e-6 * record.loss)
      #expect(found.samples == size)
      #expect(gradients.keys.sorted() == expected.keys.sorted())
      for (key, gradient) in gradients {
        guard let reference = expected[key] else { continue }
        let error = (gradient - reference).squaredNorm().squareRoot()
        #expect(error <= 1e-6 * reference.squaredNorm().squareRoot(), "\(key)")
        #expect(gradient.floats() == results[0].1[key]?.floats(), "\(key) differs between ranks")
      }
    }
  }

  @Test("several steps stay beside those of one process; all ranks have the same bits", arguments: [2, 3])
  func steps(size: Int) throws {
    var alone = try training(accumulation: 2 * size).trainer()
    let expected = try (0..<3).map { _ in try alone.step() }
    let shared = training(accumulation: 2)
    let results = try Exchange(size: size).run { ranks in
      var trainer = try shared.trainer(on: ranks)
      let records = try (0..<3).map { _ in try trainer.step() }
      return (records, trainer.bits)
    }
    #expect(Set(results.map { $0.1["weight.\(alone.model.trainedParameters[0].key)"] }).count == 1)
    for (records, bits) in results {
      #expect(bits == results[0].1)
      for (found, expected) in zip(records, expected) {
        #expect(abs(found.loss - expected.loss) <= 1e-5 * expected.loss)
        #expect(found.samples == expected.samples)
      }
    }
  }

  @Test(
    "ZeRO: each rank keeps a part of the state, and weights, moments, averages and records have the same bits",
    arguments: [2, 3], Precision.allCases)
  func zero(size: Int, precision: Precision) throws {
    func run(zero: Bool) throws -> [(records: [StepRecord], tensors: [String: [UInt8]], own: Int)] {
      var shared = training(zero: zero)
      shared.precision = precision
      shared.averageDecay = 0.5
      shared.steps.faults = [.decayOfUnread]
      let settings = shared
      return try Exchange(size: size).run { ranks in
        var trainer = try settings.trainer(on: ranks)
        let records = try (0..<3).map { _ in try trainer.step() }
        let own = trainer.optimizer.state.tensors.count
        let whole = try trainer.collectedSnapshot()
        #expect((whole != nil) == ranks.isFirst)
        var tensors = (whole ?? trainer.snapshot).bits
        if !ranks.isFirst { tensors = tensors.filter { $0.key.hasPrefix("weight.") } }
        return (records, tensors, own)
      }
    }
    let (whole, shared) = (try run(zero: false), try run(zero: true))
    for (one, other) in zip(whole, shared) {
      #expect(one.records == other.records)
      #expect(one.tensors == other.tensors)
    }
    #expect(shared.map(\.own).reduce(0, +) == whole[0].own)
    #expect(shared.allSatisfy { $0.own > 0 && $0.own < whole[0].own })
  }

  @Test("samples and noise differ between ranks; with the published fault all ranks draw the same noise")
  func draws() throws {
    func run(_ faults: PublishedFaults) throws -> [[String]] {
      try Exchange(size: 2).run { ranks in
        let model = DrawRecorder()
        var settings = StepSettings()
        settings.faults = faults
        settings.accumulation = 2
        var trainer = try Trainer(
          model, source: Points((0..<8).map(Float.init)), optimizer: AdamW(),
          schedule: LearningRateSchedule(peak: 0.1, totalSteps: 10), settings: settings, collective: ranks)
        for _ in 0..<2 { _ = try trainer.step() }
        return model.seen
      }
    }
    let (right, published) = (try run([]), try run(.sharedDraws))
    let levels = (0..<8).map { TrainingDraws(seed: 42, sample: $0).level }
    #expect(right[0] == [0, 2, 4, 6].map { "\($0).0 \(levels[$0])" })
    #expect(right[1] == [1, 3, 5, 7].map { "\($0).0 \(levels[$0])" })
    #expect(published[0] == (0..<4).map { "\(2 * $0).0 \(levels[$0])" })
    #expect(published[1] == (0..<4).map { "\(2 * $0 + 1).0 \(levels[$0])" })
  }

  @Test("R01: a loss or gradient that is not finite on one rank skips the step on all", arguments: [false, true])
  func notFinite(zero: Bool) throws {
    // Samples of ranks 0 and 1 take turns: the second and third step have a bad one each.
    let points: [Float] = [1, 2, 1, .nan, .infinity, 2, 1, 2]
    let results = try Exchange(size: 2).run { ranks in
      var settings = StepSettings()
      settings.shardsOptimizer = zero
      settings.skipLimit = 2
      var trainer = try Trainer(
        Parabola(), source: Points(points), optimizer: AdamW(),
        schedule: LearningRateSchedule(peak: 0.1, totalSteps: 10), settings: settings, collective: ranks)
      var (records, weights) = ([StepRecord](), [[Float]]())
      var stops: [Int] = []
      for step in 1...4 {
        records.append(try trainer.step())
        weights.append(trainer.model.parameters[0].tensor.floats())
        do { try trainer.checkForDivergence() } catch { stops.append(step) }
      }
      return (records, weights, stops)
    }
    for (records, weights, stops) in results {
      #expect(records.map { $0.skipped != nil } == [false, true, true, false])
      #expect(weights == results[0].1)
      #expect(weights[1] == weights[0] && weights[2] == weights[0] && weights[3] != weights[0])
      #expect(stops == [3])
    }
    let infinite = try Exchange(size: 2).run { ranks in
      var trainer = try Trainer(
        Parabola(steepness: ranks.rank == 1 ? 1e30 : 1), source: Points([0, 0]), optimizer: AdamW(),
        schedule: LearningRateSchedule(peak: 0.1, totalSteps: 10), collective: ranks)
      return try trainer.step().skipped
    }
    #expect(infinite == ["a gradient is not finite", "a gradient is not finite"])
  }

  @Test("a failure of one rank ends the others' waiting")
  func failure() throws {
    let shared = training()
    let outcomes = Exchange(size: 2).outcomes { ranks in
      var trainer = try shared.trainer(on: ranks, source: Failing(at: 3, with: TrainingFailure.nothingToTrain))
      for _ in 0..<3 { _ = try trainer.step() }
    }
    let errors = outcomes.map { outcome -> (any Error)? in
      guard case .failure(let error) = outcome else { return nil }
      return error
    }
    #expect(errors[1] as? TrainingFailure == .nothingToTrain)
    #expect(errors[0] is Exchange.OtherRankFailed)
  }
}

/// Samples of noise, one of which cannot be had.
struct Failing: SampleSource {
  let index: Int
  let error: any Error & Sendable
  let digest = "failing"

  init(at index: Int, with error: any Error & Sendable) {
    self.index = index
    self.error = error
  }

  func sample(at index: Int) throws -> TrainingSample {
    if index == self.index { throw error }
    return RandomClips().sample(at: index)
  }
}

/// Keeps gradients, as they are to be applied, and leaves parameters alone.
private final class GradientRecorder: Optimizer {
  let precision = Precision.float32
  private let found = Mutex<[String: Tensor]>([:])

  var gradients: [String: Tensor] { found.withLock { $0 } }
  var state: OptimizerState { OptimizerState() }

  func prepare(_ parameters: [Parameter]) {}
  func update(_ parameter: Parameter, gradient: Tensor, gradientScale: Float, learningRate: Double) {
    found.withLock { $0[parameter.key] = gradient }
  }
  func restore(_ state: OptimizerState, for parameters: [Parameter], path: String) {}
}

/// loss = w x, and a note of the sample and the noise level of each call.
private final class DrawRecorder: TrainingModel {
  let parameters = [Parameter(key: "w", tensor: Tensor([1]), isTrainable: true)]
  private let notes = Mutex<[String]>([])

  var seen: [String] { notes.withLock { $0 } }

  func loss(
    target: EncodedClip, references: [EncodedClip], draws: TrainingDraws, context: RunContext
  ) -> Tensor {
    let sample = target.tensors["video"] ?? Tensor([0])
    notes.withLock { $0.append("\(sample.floats()[0]) \(draws.level)") }
    return parameters[0].tensor * sample
  }

  func isUnread(_ key: String) -> Bool { false }
}
