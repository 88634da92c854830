import Backbones
import Checkpoints
import Compute
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite("Preference training")
struct PreferenceTests {
  private struct Case: Decodable {
    let win: Float
    let lose: Float
    let refWin: Float
    let refLose: Float
    let weight: Double
    let loss: Double
    let gradWin: Double
    let gradLose: Double

    private enum CodingKeys: String, CodingKey {
      case win, lose, weight, loss
      case refWin = "ref_win"
      case refLose = "ref_lose"
      case gradWin = "grad_win"
      case gradLose = "grad_lose"
    }
  }

  private struct Cases: Decodable { let preference: [Case] }

  @Test("the loss and its gradients are those that the published expression gave")
  func published() throws {
    let cases = try ConfigFile.decode(Cases.self, at: Fixtures.path("couplings/cases.json")).preference
    #expect(cases.count == 3)
    for recorded in cases {
      let (better, worse) = (Tensor([recorded.win]).asVariable(), Tensor([recorded.lose]).asVariable())
      let loss = PreferenceObjective().loss(
        better: better, worse: worse, frozenBetter: recorded.refWin, frozenWorse: recorded.refLose,
        weight: recorded.weight)
      let gradients = try loss.backward()
      // Float32 losses near 1 differ by 1e-7, which the strength makes 5e-5.
      func expect(_ found: Tensor?, _ expected: Double) throws {
        let value = try #require(found?.doubles().first)
        #expect(abs(value - expected) <= 1e-4 + 1e-4 * abs(expected), "\(value), recorded \(expected)")
      }
      try expect(loss, recorded.loss)
      try expect(gradients[better], recorded.gradWin)
      try expect(gradients[worse], recorded.gradLose)
    }
  }

  @Test("gradients agree with central differences")
  func gradients() throws {
    var objective = PreferenceObjective()
    objective.strength = 3
    try expectGradient(of: [Tensor([0.4]), Tensor([0.9])]) {
      objective.loss(better: $0[0], worse: $0[1], frozenBetter: 0.5, frozenWorse: 0.3, weight: 1.7)
    }
  }

  // MARK: - Training

  private static let trainedParts: [(TrainingPlan.Trained, Precision)] = [
    (.lora, .float32), (.expert, .mixed), (.full, .bfloat16),
  ]

  /// The tiny model in preference training.
  private func model(
    _ trained: TrainingPlan.Trained, _ precision: Precision
  ) throws -> PreferenceModel<CogVideoXTraining> {
    var additions = TransformerAdditions()
    var plan = TrainingPlan()
    plan.trained = trained
    additions.plan = plan
    func build(_ additions: TransformerAdditions, isFrozen: Bool) throws -> CogVideoXTraining {
      let backbone = try CogVideoXBackbone(directory: TinyTraining.checkpoint, additions: additions)
      return try backbone.makeTraining(
        backbone.openWeights(), ClipGeometry(height: 48, width: 64, frames: 9), faults: []
      ) { !isFrozen && backbone.isTrained($0) }
    }
    return PreferenceModel(
      try build(additions, isFrozen: false), frozen: try build(additions.atStart, isFrozen: true),
      objective: PreferenceObjective(), precision: precision)
  }

  private func trainer(
    _ trained: TrainingPlan.Trained, _ precision: Precision, repeats: Bool = false
  ) throws -> Trainer<PreferenceModel<CogVideoXTraining>> {
    try Trainer(
      model(trained, precision), source: RandomPairs(repeats: repeats), optimizer: AdamW(precision: precision),
      schedule: LearningRateSchedule(peak: 1e-3, totalSteps: 100))
  }

  @Test("the first loss is log 2, and a step changes what is trained and nothing else", arguments: trainedParts)
  func firstStep(trained: TrainingPlan.Trained, precision: Precision) throws {
    var trainer = try trainer(trained, precision)
    let frozen = trainer.model.parameters.filter { !$0.isTrainable }
    let (before, weights) = (frozen.map { $0.tensor.floats() }, trainer.bits)
    let record = try trainer.step()
    #expect(abs(record.loss - log(2)) < 1e-6, "\(record.loss)")
    #expect((record.gradientNorm ?? 0) > 0)
    #expect(trainer.bits != weights)
    #expect(frozen.map { $0.tensor.floats() } == before)
    #expect(abs(try trainer.step().loss - log(2)) > 1e-6)
  }

  @Test("training on one pair tells its videos apart")
  func learning() throws {
    var trainer = try trainer(.expert, .float32, repeats: true)
    let records = try (0..<30).map { _ in try trainer.step() }
    let losses = records.map(\.loss)
    let late = losses.suffix(10).reduce(0, +) / 10
    #expect(late < 0.9 * log(2), "\(losses)")
    func mean(_ name: String) -> Double { records.suffix(10).reduce(0) { $0 + ($1.measures?[name] ?? 0) } / 10 }
    #expect(mean("preference_accuracy") > 0.5 && mean("preference_margin") > 0)
  }

  @Test("C15: a run that stops goes on to the same bytes, beside the weights it started from", arguments: trainedParts)
  func resume(trained: TrainingPlan.Trained, precision: Precision) throws {
    let directory = try TemporaryDirectory()
    func run(_ name: String, to steps: Int) throws {
      var settings = RunSettings()
      settings.steps = steps
      var run = try TrainingRun(
        trainer(trained, precision), in: RunFolder(path: directory.file(name)), settings,
        identity: RunIdentity(settings: [:], data: "d", model: "m"), configuration: TinyTraining.configuration)
      try run.resume { _ in }
      try run.run({ _ in }, validate: { _ in nil })
    }
    try run("whole", to: 4)
    try run("parts", to: 2)
    try run("parts", to: 4)
    let (whole, parts) = (try contents(of: directory.file("whole")), try contents(of: directory.file("parts")))
    #expect(whole.count > 3)
    for (name, data) in whole { #expect(parts[name] == data, "\(name)") }
  }

  @Test("a pair travels as one clip and is unpacked as it was; a clip that is no pair is refused")
  func pairs() throws {
    let clips = RandomClips()
    let packed = ClipPair(better: clips.clip(1), worse: clips.clip(2), weight: 1.5).packed
    let pair = try ClipPair(unpacking: packed)
    #expect(pair.weight == 1.5)
    #expect(pair.better.tensors.mapValues { $0.floats() } == clips.clip(1).tensors.mapValues { $0.floats() })
    #expect(pair.worse.tensors.mapValues { $0.floats() } == clips.clip(2).tensors.mapValues { $0.floats() })
    #expect(throws: TrainingSampleFailure.self) { try ClipPair(unpacking: clips.clip(1)) }
  }

  @Test("the second video of a pair has the first one's level and reference noise, and noise of its own")
  func draws() throws {
    let draws = TrainingDraws(seed: 3, sample: 5)
    let other = draws.ofOtherVideo
    #expect(other.level == draws.level && other.referenceLevel(0) == draws.referenceLevel(0))
    func noise(_ draws: TrainingDraws, _ purpose: NoisePurpose) throws -> [Float] {
      try draws.noise.noise(for: purpose, shape: [8]).floats()
    }
    for purpose in [NoisePurpose.image, .target, .initialLatents] {
      #expect(try noise(draws, purpose) != noise(other, purpose))
    }
    for purpose in [NoisePurpose.reference(0), .referenceFirstFrame(0), .referenceNoise(0)] {
      #expect(try noise(draws, purpose) == noise(other, purpose))
    }
  }
}

/// Pairs of random clips; the same one for every index if asked.
private struct RandomPairs: SampleSource {
  var repeats = false
  let digest = "random pairs"

  func sample(at index: Int) -> TrainingSample {
    let clips = RandomClips()
    let seed = UInt64(repeats ? 0 : index) * 8
    return TrainingSample(
      target: ClipPair(better: clips.clip(seed), worse: clips.clip(seed + 4), weight: 1).packed,
      references: [clips.clip(seed + 1)])
  }
}
