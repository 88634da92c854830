import Autoencoders
import Backbones
import Checkpoints
import Compute
import Layers
import Schedulers
import Tensors
import Training
import VideoTransformers

/// Case `training`: loss and gradients of one expert training step, and the parameters after AdamW updates with and
/// without clipping, all by the code that trains.
struct TrainingCases {
  private static let loss = Tolerance(absolute: 0, relative: 1e-4)
  private static let gradient = Tolerance(absolute: 1e-5, relative: 2e-3)
  private static let parameter = Tolerance(absolute: 2e-5)

  let goldens: GoldenSet

  func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let tensors = try golden.openTensors()
    for clipping in ["clip", "noclip"] {
      let run = try Run(goldens, golden, tensors, clipping: clipping)
      try run.compare(into: &comparison)
    }
  }

  /// Three updates of a fresh model.
  private struct Run {
    let golden: GoldenCase
    let tensors: GoldenTensors
    /// The name of the recorded run, `clip` or `noclip`.
    let clipping: String
    let model: CogVideoXTraining
    let optimizer: AdamW
    let learningRate: Double

    init(_ goldens: GoldenSet, _ golden: GoldenCase, _ tensors: GoldenTensors, clipping: String) throws {
      self.golden = golden
      self.tensors = tensors
      self.clipping = clipping
      let directory = "\(goldens.checkpoint)/transformer"
      let configuration = try ConfigFile.decode(CogVideoXConfiguration.self, at: "\(directory)/config.json")
      let loader = ParameterLoader(
        try WeightStore(directory: directory), training: CogVideoXTransformer.isExpertWeight)
      let transformer = CogVideoXTransformer(loader.root, configuration)
      try loader.finish()
      // Recorded in float32, so amplitudes are not rounded.
      model = CogVideoXTraining(
        transformer, parameters: loader.parameters, latentShape: try tensors["latents"].shape,
        schedule: NoiseSchedule(
          try ConfigFile.decode(
            DiffusionConfiguration.self, at: "\(goldens.checkpoint)/scheduler/scheduler_config.json")),
        autoencoder: try ConfigFile.decode(
          CogVideoXAutoencoderConfig.self, at: "\(goldens.checkpoint)/vae/config.json"),
        faults: .loweredTimesteps)
      (optimizer, learningRate) = try AdamW.recorded(golden.info["optimizer"], golden)
    }

    func compare(into comparison: inout Comparison) throws {
      guard let timesteps = golden.info["timesteps"]?.ints,
        let losses = golden.info["loss"]?[clipping]?.array?.compactMap(\.double),
        let norms = golden.info["grad_norm_before_clip"]?[clipping]?.array?.compactMap(\.double),
        losses.count == timesteps.count, norms.count == timesteps.count
      else { throw golden.failure("does not describe its steps") }
      let limit = golden.info["max_grad_norm"]?[clipping]?.double
      let recorded = TrainingComparison(model, tensors, TrainingCases.gradient)
      let start = recorded.values
      let without = golden.info["trainable_without_gradient"]?.strings ?? []
      let clips = try clips()
      var optimizer = optimizer
      optimizer.prepare(recorded.parameters)
      for (step, timestep) in timesteps.enumerated() {
        let isFirst = step == 0 && clipping == "clip"
        // One of the two runs with recomputation: both must agree with the record.
        let evaluation = try model.evaluate(
          target: clips.target, references: clips.references, draws: try draws(step, timestep),
          context: RunContext(recomputesSegments: clipping == "noclip"))
        comparison.compare(
          "timesteps_effective[\(step)]", [evaluation.timestep],
          [try tensors["timesteps_effective"].integers()[step]])
        if isFirst { try compareInputs(evaluation, &comparison) }
        let loss = evaluation.loss
        comparison.compare("\(clipping).loss[\(step)]", loss.doubles(), [losses[step]], TrainingCases.loss)
        let found = try loss.backward()
        if isFirst {
          try recorded.compareGradients(
            found, norms: golden.info["grad_norms"]?.object ?? [:], without: without, prefix: "grad.", &comparison)
        }
        let gradients = StepGradients(found, of: recorded.parameters, zeroWhere: model.isUnread)
        comparison.compare("\(clipping).grad_norm[\(step)]", [gradients.norm], [norms[step]], TrainingCases.gradient)
        gradients.apply(limit: limit, learningRate: learningRate, by: &optimizer)
        try compareParameters(after: step + 1, &comparison)
      }
      recorded.compareUntouched(without, start, &comparison)
    }

    /// The recorded latents are draws already: as moments they have no variance to speak of, and get no noise.
    private func clips() throws -> (target: EncodedClip, references: [EncodedClip]) {
      func clip(_ suffix: String) throws -> EncodedClip {
        func moments(_ name: String) throws -> Tensor {
          let latents = try tensors[name + suffix].permuted(0, 2, 1, 3, 4)
          return .concatenated([latents, .zeros(latents.shape)], axis: 1)
        }
        return EncodedClip(tensors: [
          "video": try moments("latents"), "image": try moments("image_latents"),
          "text": try tensors["encoder_hidden_states" + suffix],
        ])
      }
      let references = tensors.indices(of: "latents_mot_ref_")
      return (try clip(""), try references.map { try clip("_mot_ref_\($0.index)") })
    }

    private func draws(_ step: Int, _ timestep: Int) throws -> TrainingDraws {
      // In the middle of what leads to the timestep.
      TrainingDraws(
        level: (999.5 - Double(timestep)) / 1000, noise: RecordedNoise(target: try tensors["noise_step\(step)"]))
    }

    private func compareInputs(_ evaluation: CogVideoXTraining.Evaluation, _ comparison: inout Comparison) throws {
      comparison.compare("step0.target", evaluation.target, try tensors["step0.target"], .forward)
      comparison.compare(
        "step0.hidden_states", .concatenated([evaluation.noisy, evaluation.conditions.image], axis: 2),
        try tensors["step0.hidden_states"], .forward)
      comparison.compare("step0.pred", evaluation.prediction, try tensors["step0.pred"], .forward)
      if let reference = evaluation.conditions.reference {
        comparison.compare(
          "step0.hidden_states_mot_ref", reference.latents, try tensors["step0.hidden_states_mot_ref"], .forward)
      }
    }

    private func compareParameters(after step: Int, _ comparison: inout Comparison) throws {
      let name = "\(clipping).after_\(step)"
      let totals = golden.info["updated_sum_and_norm"]?[name]?.object ?? [:]
      for parameter in model.trainedParameters {
        let key = parameter.key
        if let expected = try tensors.optional("\(name).\(key)") {
          comparison.compare("\(name).\(key)", parameter.tensor, expected, TrainingCases.parameter)
        }
        guard let total = totals[key]?.array?.compactMap(\.double), total.count == 2 else { continue }
        // As mean and root mean square, which lie as close as the elements do.
        let values = parameter.tensor.doubles()
        let count = Double(values.count)
        comparison.compare(
          "updated_sum_and_norm.\(name).\(key)",
          [values.reduce(0, +) / count, (parameter.tensor.squaredNorm() / count).squareRoot()],
          [total[0] / count, total[1] / count.squareRoot()], TrainingCases.parameter)
      }
    }
  }

  /// Noise of the target as it was recorded; posteriors, which were drawn before, get none.
  private struct RecordedNoise: NoiseSource {
    let target: Tensor

    func noise(for purpose: NoisePurpose, shape: Shape) -> Tensor {
      purpose == .initialLatents ? target : .zeros(shape)
    }
  }
}
