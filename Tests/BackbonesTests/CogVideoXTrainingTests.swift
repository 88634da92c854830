import Compute
import Layers
import Runtime
import Schedulers
import Tensors
import TestSupport
import Testing

@testable import Backbones

@Suite("CogVideoX training")
struct CogVideoXTrainingTests {
  private static let clip = EncodedClip(tensors: [
    "video": .random([1, 32, 3, 6, 8], seed: 1), "image": .random([1, 32, 1, 6, 8], seed: 2),
    "text": .random([1, 16, 32], seed: 3),
  ])

  private func model(_ faults: PublishedFaults = []) throws -> CogVideoXTraining {
    let backbone = try CogVideoXBackbone(directory: Fixtures.path("cogvideox-tiny/checkpoint"))
    return try backbone.makeTraining(
      backbone.openWeights(), backbone.naturalGeometry, faults: faults, training: backbone.isPublishedTarget)
  }

  private func evaluation(_ level: Double, _ faults: PublishedFaults = []) throws -> CogVideoXTraining.Evaluation {
    try model(faults).evaluate(
      target: Self.clip, references: [Self.clip], draws: TrainingDraws(level: level, noise: SeededNoise(seed: 1)),
      context: RunContext())
  }

  @Test("draws depend on seed and sample alone, and differ between samples and seeds")
  func draws() throws {
    func values(_ seed: UInt64, _ sample: Int) throws -> [Float] {
      let draws = TrainingDraws(seed: seed, sample: sample)
      #expect((0..<1).contains(draws.level))
      return [Float(draws.level)] + (try draws.noise.noise(for: .initialLatents, shape: [4]).floats())
    }
    #expect(try values(42, 7) == values(42, 7))
    #expect(try values(42, 7) != values(42, 8))
    #expect(try values(43, 7) != values(42, 7))
    let levels = (0..<2000).map { TrainingDraws(seed: 1, sample: $0).level }
    // The mean of 2000 uniform values lies within 0.02 of a half: three standard deviations.
    #expect(abs(levels.reduce(0, +) / 2000 - 0.5) < 0.02)
  }

  @Test("every noise of a sample is another one")
  func purposes() throws {
    let noise = TrainingDraws(seed: 1, sample: 1).noise
    let purposes: [NoisePurpose] = [
      .image, .target, .initialLatents, .reference(0), .reference(1), .referenceFirstFrame(0),
    ]
    let values = try purposes.map { try noise.noise(for: $0, shape: [8]).floats() }
    #expect(Set(values).count == purposes.count)
  }

  @Test("noised references add 0.6 of their mean loss, and their own head is trained")
  func noisyReferences() throws {
    var additions = TransformerAdditions()
    var plan = TrainingPlan()
    plan.noisyReferenceLevels = 5
    additions.plan = plan
    let backbone = try CogVideoXBackbone(directory: Fixtures.path("cogvideox-tiny/checkpoint"), additions: additions)
    let model = try backbone.makeTraining(
      backbone.openWeights(), backbone.naturalGeometry, faults: [], training: backbone.isTrained)
    func loss(_ referenceLevel: @escaping @Sendable (Int) -> Double) throws -> Tensor {
      try model.loss(
        target: Self.clip, references: [Self.clip, Self.clip],
        draws: TrainingDraws(level: 0.3, noise: SeededNoise(seed: 1), referenceLevel: referenceLevel),
        context: RunContext())
    }
    let gradients = try loss { Double($0) / 2 }.backward()
    let head = try #require(model.parameters.first { $0.key == "proj_out_mot_ref.weight" })
    #expect(gradients[head.tensor]?.floats().contains { $0 != 0 } == true)
    // Levels fall, as the target's do: 0 is the noisiest of the five.
    #expect(try loss { _ in 0 }.floats() != loss { _ in 0.99 }.floats())
    // In generation references are clean, and the expert is told so, as in the least noise of its training.
    let conditions = try model.evaluate(
      target: Self.clip, references: [Self.clip, Self.clip],
      draws: TrainingDraws(level: 0.3, noise: SeededNoise(seed: 1), referenceLevel: { _ in 0.99 }),
      context: RunContext()
    ).conditions
    let denoiser = try backbone.makeDenoiser(backbone.openWeights())
    let noise = Tensor.random(conditions.image.shape)
    func prediction(_ timesteps: [Float]?) throws -> [Float] {
      try denoiser.predictAll(
        noise, timestep: 700, referenceTimesteps: timesteps, conditions,
        BackboneOptions(context: RunContext(), isGuided: false)
      ).target.floats()
    }
    #expect(try prediction(nil) == prediction([0, 0]))
    #expect(try prediction(nil) != prediction([700, 700]))
    let draws = TrainingDraws(seed: 1, sample: 3)
    #expect(draws.referenceLevel(0) != draws.referenceLevel(1))
    #expect(draws.referenceLevel(0) == TrainingDraws(seed: 1, sample: 3).referenceLevel(0))
  }

  @Test("adapters are trained alone, and a denoiser of the weights in training has them")
  func adapters() throws {
    var additions = TransformerAdditions()
    var plan = TrainingPlan()
    plan.trained = .lora
    additions.plan = plan
    let backbone = try CogVideoXBackbone(directory: Fixtures.path("cogvideox-tiny/checkpoint"), additions: additions)
    let model = try backbone.makeTraining(
      backbone.openWeights(), backbone.naturalGeometry, faults: [], training: backbone.isTrained)
    // Four maps in the base's three blocks and in the expert's two.
    #expect(model.trainedParameters.count == 2 * 4 * 5)
    #expect(model.trainedParameters.allSatisfy { AdapterKeys.contain($0.key) })
    let conditions = try model.evaluate(
      target: Self.clip, references: [Self.clip], draws: TrainingDraws(level: 0.3, noise: SeededNoise(seed: 1)),
      context: RunContext()
    ).conditions
    func prediction() throws -> [Float] {
      let denoiser = try backbone.makeDenoiser(CurrentWeights(model.parameters))
      let options = BackboneOptions(isGuided: false)
      return try denoiser.predict(.random([1, 3, 16, 6, 8]), timestep: 500, conditions, options).floats()
    }
    let before = try prediction()
    for parameter in model.trainedParameters { parameter.update(to: .random(parameter.shape, seed: 9)) }
    #expect(try prediction() != before)
    #expect(backbone.adapterExport?.notes == ["coupling": "mixture", "position-design": "temporal-bias"])
  }

  @Test(
    "a batch has the sum of its samples' losses and gradients, with references and without, weighed or not",
    arguments: [nil, 0.5])
  func batch(clipEnergy: Double?) throws {
    var additions = TransformerAdditions()
    additions.plan = TrainingPlan()
    additions.plan?.objective.clipEnergy = clipEnergy
    let backbone = try CogVideoXBackbone(directory: Fixtures.path("cogvideox-tiny/checkpoint"), additions: additions)
    let model = try backbone.makeTraining(
      backbone.openWeights(), backbone.naturalGeometry, faults: [], training: backbone.isTrained)
    let samples = (0..<3).map { index in
      let clip = EncodedClip(
        tensors: Self.clip.tensors.mapValues { .random($0.shape, seed: UInt64(index) + 20) })
      return DrawnSample(target: clip, references: [Self.clip], draws: TrainingDraws(seed: 1, sample: index))
    }
    let together = try model.loss(of: samples, context: RunContext())
    let losses = try samples.map {
      try model.loss(target: $0.target, references: $0.references, draws: $0.draws, context: RunContext())
    }
    let sum = Tensor.concatenated(losses, axis: 0).sum()
    expectClose(together.detached, sum.detached, absolute: 0, relative: 1e-5)
    let (found, expected) = (try together.backward(), try sum.backward())
    for parameter in model.trainedParameters {
      guard let wanted = expected[parameter.tensor] else { continue }
      let own = try #require(found[parameter.tensor])
      // Float32 sums in another order.
      expectClose(own, wanted, absolute: 2e-4 * max(1, wanted.squaredNorm().squareRoot()), parameter.key)
    }
    #expect(try model.loss(of: samples.reversed(), context: RunContext()).shape == [1])
  }

  @Test("the prediction from pure noise is what one evaluation at the last level predicts")
  func fromNoise() throws {
    let model = try model()
    let draws = TrainingDraws(level: 0, noise: SeededNoise(seed: 1))
    let samples = [
      DrawnSample(target: Self.clip, references: [Self.clip], draws: TrainingDraws(level: 0.7, noise: draws.noise))
    ]
    let (prediction, target) = try model.predictFromNoise(samples)
    let evaluation = try model.evaluate(
      target: Self.clip, references: [Self.clip], draws: draws, context: RunContext())
    #expect(prediction.floats() == evaluation.prediction.floats())
    #expect(target.floats() == evaluation.target.floats())
  }

  @Test("levels: a share is pure noise, the others lean to high ones; without a plan they are uniform")
  func levels() {
    var plan = ObjectivePlan()
    #expect([0, 0.25, 0.9].map(plan.level) == [0, 0.25, 0.9])
    #expect(plan.weight(energy: 3) == 1)
    (plan.pureNoise, plan.levelPower, plan.clipEnergy) = (0.5, 0.5, 2)
    #expect([0, 0.3, 0.4999].map(plan.level) == [0, 0, 0])
    // Half way through the rest: 1 - sqrt(1 / 2).
    #expect(abs(plan.level(0.75) - (1 - 0.5.squareRoot())) < 1e-12)
    #expect(plan.level(0.999_999) < 1)
    #expect(abs(plan.weight(energy: 2) - 1) < 1e-12)
    #expect(plan.weight(energy: 0) > plan.weight(energy: 4))
  }

  @Test("levels are the published table: timesteps fall from 999 to 0")
  func timesteps() throws {
    #expect(try evaluation(0).timestep == 999)
    #expect(try evaluation(0.9999).timestep == 0)
    #expect(try evaluation(0.4885).timestep == 511)
    #expect(try evaluation(0.4885, .loweredTimesteps).timestep == 510)
  }

  @Test("rounded amplitudes add no noise at timesteps 0 and 1; exact ones do")
  func amplitudes() throws {
    for level in [0.9999, 0.9985] {
      let rounded = try evaluation(level, .roundedAmplitudes)
      #expect(rounded.noisy.floats() == rounded.target.floats())
      let exact = try evaluation(level)
      #expect(exact.noisy.floats() != exact.target.floats())
      #expect(exact.target.floats() == rounded.target.floats())
    }
  }

  @Test("the loss is the mean error of the implied target with the published weight")
  func loss() throws {
    let found = try evaluation(0.3)
    let schedule = try NoiseSchedule(
      { () throws -> DiffusionConfiguration in
        let backbone = try CogVideoXBackbone(directory: Fixtures.path("cogvideox-tiny/checkpoint"))
        guard case .ddim(let configuration) = backbone.scheduler else { throw TrainingSampleFailure.noReference }
        return configuration
      }())
    let errors = zip(found.prediction.doubles(), found.target.doubles()).map { ($0 - $1) * ($0 - $1) }
    let expected = errors.reduce(0, +) / Double(errors.count) / (1 - schedule.cumulativeAlphas[found.timestep])
    #expect(abs(found.loss.doubles()[0] - expected) < 1e-5 * expected)
    #expect(found.loss.isRecorded)
  }

  @Test("clips that do not fit are refused by name: missing tensors, other sizes, no reference")
  func refusals() throws {
    let model = try model()
    func loss(_ changes: [String: Tensor?], asReference: Bool = false) throws {
      var tensors = Self.clip.tensors
      for (name, tensor) in changes { tensors[name] = tensor }
      let other = EncodedClip(tensors: tensors)
      _ = try model.loss(
        target: asReference ? Self.clip : other, references: [asReference ? other : Self.clip],
        draws: TrainingDraws(seed: 1, sample: 0), context: RunContext())
    }
    for asReference in [false, true] {
      for name in ["video", "image", "text"] {
        #expect(throws: TrainingSampleFailure.missingTensor(name)) { try loss([name: nil], asReference: asReference) }
      }
      for (name, shape) in [
        ("video", [1, 32, 2, 6, 8]), ("video", [1, 32, 3, 8, 6]), ("video", [2, 32, 3, 6, 8]), ("video", [9]),
        ("image", [1, 32, 2, 6, 8]), ("text", [1, 15, 32]),
      ] as [(String, Shape)] {
        #expect(throws: TrainingSampleFailure.self) { try loss([name: .zeros(shape)], asReference: asReference) }
      }
    }
    #expect(throws: TrainingSampleFailure.noReference) {
      try model.loss(
        target: Self.clip, references: [], draws: TrainingDraws(seed: 1, sample: 0), context: RunContext())
    }
  }
}
