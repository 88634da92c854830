import Autoencoders
import Backbones
import Checkpoints
import Compute
import Foundation
import Generation
import Layers
import Schedulers
import Tensors
import Testing
import Training
import VideoTransformers

/// A small model learns four pairs by heart. Takes minutes, so it runs only where scripts/overfit-tiny.sh asks for it.
@Suite("Overfitting", .enabled(if: ProcessInfo.processInfo.environment["VAP_OVERFIT"] != nil))
struct OverfitTests {
  private static let latents: Shape = [1, 3, 16, 8, 8]

  private static var transformer: CogVideoXConfiguration {
    var configuration = CogVideoXConfiguration()
    configuration.headCount = 4
    configuration.headSize = 32
    configuration.inChannels = 32
    configuration.timeEmbeddingSize = 128
    configuration.textEmbeddingSize = 32
    configuration.layerCount = 3
    configuration.maxTextLength = 8
    configuration.sampleWidth = 8
    configuration.sampleHeight = 8
    configuration.sampleFrames = 9
    configuration.usesRotaryEmbeddings = true
    configuration.expertLayers = [0, 1, 2]
    return configuration
  }

  private static var diffusion: DiffusionConfiguration {
    var configuration = DiffusionConfiguration()
    configuration.predictionKind = .velocity
    configuration.rescalesToZeroTerminalSNR = true
    configuration.timestepSpacing = .trailing
    return configuration
  }

  /// A model with the weights of a source, of which some are trained.
  private struct Model {
    let training: CogVideoXTraining
    let denoiser: CogVideoXDenoiser

    init(_ source: any ParameterSource, training isTrained: @escaping @Sendable (String) -> Bool) throws {
      func load(_ isTrained: @escaping @Sendable (String) -> Bool) throws -> (CogVideoXTransformer, [Parameter]) {
        let loader = ParameterLoader(source, training: isTrained)
        let model = CogVideoXTransformer(loader.root, OverfitTests.transformer)
        try loader.finish()
        return (model, loader.parameters)
      }
      let (model, parameters) = try load(isTrained)
      training = CogVideoXTraining(
        model, parameters: parameters, latentShape: OverfitTests.latents,
        schedule: NoiseSchedule(OverfitTests.diffusion), autoencoder: CogVideoXAutoencoderConfig())
      denoiser = CogVideoXDenoiser(model)
    }
  }

  /// Four pairs of smooth moving patterns. Image and caption are the same for all: only the reference tells which target
  /// is meant.
  private struct Pairs: SampleSource {
    let digest = "pairs"
    /// Whether the pairs are eight others, which the base learns.
    var areOthers = false

    func sample(at index: Int) -> TrainingSample {
      areOthers
        ? TrainingSample(target: clip(1000 + 2 * (index % 8)), references: [clip(1001 + 2 * (index % 8))])
        : TrainingSample(target: clip(index % 4), references: [clip(4 + index % 4)])
    }

    func clip(_ number: Int) -> EncodedClip {
      EncodedClip(tensors: [
        "video": moments(pattern(number, frames: 3)), "image": moments(.zeros([1, 16, 1, 8, 8])),
        "text": .zeros([1, 8, 32]),
      ])
    }

    /// `[1, 16, F, 8, 8]`: in each channel a wave of its own that moves on from frame to frame.
    private func pattern(_ number: Int, frames: Int) -> Tensor {
      var generator = RandomGenerator(seed: UInt64(number) + 1)
      var values: [Float] = []
      for _ in 0..<16 {
        let (rows, columns) = (generator.drawUniform() - 0.5, generator.drawUniform() - 0.5)
        let (speed, start) = (generator.drawUniform() * 2, generator.drawUniform() * 6)
        for frame in 0..<frames {
          for place in 0..<64 {
            let phase = Double(place / 8) * rows + Double(place % 8) * columns + Double(frame) * speed + start
            values.append(Float(2 * sin(phase)))
          }
        }
      }
      return Tensor(values, shape: [1, 16, frames, 8, 8])
    }

    /// Of no variance to speak of.
    private func moments(_ mean: Tensor) -> Tensor { .concatenated([mean, .filled(mean.shape, with: -30)], axis: 1) }
  }

  private func train(_ model: Model, on pairs: Pairs, steps: Int) throws {
    var settings = StepSettings()
    settings.recomputes = false
    settings.accumulation = 4
    var trainer = try Trainer(
      model.training, source: pairs, optimizer: AdamW(.init(weightDecay: 0)),
      schedule: LearningRateSchedule(peak: 2e-3, course: .cosine, warmUpSteps: 20, totalSteps: steps),
      settings: settings)
    var losses: [Double] = []
    let start = Date()
    for step in 0..<steps {
      losses.append(try trainer.step().loss)
      if step % 100 == 99 {
        print(step + 1, losses.suffix(50).reduce(0, +) / 50, Date().timeIntervalSince(start))
      }
    }
  }

  /// The mean loss over all pairs and over noise levels from highest to lowest, on draws that are always the same and that
  /// no training sees.
  private func meanLoss(_ model: Model) throws -> Double {
    // Without variables: nothing is recorded.
    let still = try Model(CurrentWeights(model.training.parameters)) { _ in false }.training
    let levels = 32
    var sum = 0.0
    for number in 0..<4 {
      let sample = Pairs().sample(at: number)
      for place in 0..<levels {
        let draws = TrainingDraws(
          level: (Double(place) + 0.5) / Double(levels), noise: SeededNoise(seed: UInt64(9000 + 100 * number + place)))
        let loss = try still.loss(
          target: sample.target, references: sample.references, draws: draws, context: RunContext())
        sum += Double(loss.floats()[0])
      }
    }
    return sum / Double(4 * levels)
  }

  /// The base has learned eight other clips and never sees these; the expert starts as its copy, as published.
  @Test("expert training on four pairs drives the loss below 5 % of its start, and generation then gives the targets")
  func fourPairs() throws {
    let environment = ProcessInfo.processInfo.environment
    let base = try Model(RandomSource(seed: 1)) { !$0.hasSuffix("pos_embedding") }
    try train(base, on: Pairs(areOthers: true), steps: Int(environment["VAP_BASE"] ?? "") ?? 1500)
    let weights = base.training.parameters.filter { !$0.key.contains(expertSuffix) }
    let model = try Model(CopiedExpertSource(CurrentWeights(weights), suffix: expertSuffix)) {
      CogVideoXTransformer.isExpertWeight($0)
    }
    let frozen = model.training.parameters.filter { !$0.isTrainable }
    let before = frozen.map { $0.tensor.floats() }
    let start = try meanLoss(model)
    try train(model, on: Pairs(), steps: Int(environment["VAP_EXPERT"] ?? "") ?? 2500)
    let end = try meanLoss(model)
    print("loss on fixed draws: \(start) with a copied expert, \(end) with the trained one: \(100 * end / start) %")
    #expect(end < 0.05 * start)
    #expect(frozen.map { $0.tensor.floats() } == before)

    for number in 0..<4 {
      let fidelities = try peakSignalsToNoise(ofGenerated: number, model)
      print("pair \(number): generated latents against the four targets, in dB: \(fidelities)")
      #expect(fidelities[number] > 20)
      #expect(fidelities.enumerated().allSatisfy { $0.offset == number || $0.element < fidelities[number] - 6 })
    }
  }

  /// Generates from noise beside the reference of a pair, and compares with all four targets.
  private func peakSignalsToNoise(ofGenerated number: Int, _ model: Model) throws -> [Double] {
    let sample = Pairs().sample(at: number)
    let evaluation = try model.training.evaluate(
      target: sample.target, references: sample.references,
      draws: TrainingDraws(level: 0.5, noise: SeededNoise(seed: 1)), context: RunContext())
    // Without variables: nothing is recorded.
    let denoiser = try Model(CurrentWeights(model.training.parameters)) { _ in false }.denoiser
    let noise = SeededNoise(seed: UInt64(number) + 100)
    let generated = try Sampler(
      scheduler: SchedulerConfiguration.ddim(Self.diffusion).scheduler(steps: 30), guidance: .constant(1)
    ).run(
      denoiser, from: noise.noise(for: .initialLatents, shape: Self.latents), evaluation.conditions, noise: noise,
      BackboneOptions(isGuided: false)
    ) { _ in }
    let found = generated.doubles()
    return try (0..<4).map { other in
      let sample = Pairs().sample(at: other)
      let target = try model.training.evaluate(
        target: sample.target, references: sample.references,
        draws: TrainingDraws(level: 0.5, noise: SeededNoise(seed: 1)), context: RunContext()
      ).target.doubles()
      let errors = zip(found, target).map { ($0 - $1) * ($0 - $1) }
      let range = (target.max() ?? 0) - (target.min() ?? 0)
      return 10 * log10(range * range / (errors.reduce(0, +) / Double(errors.count)))
    }
  }
}
