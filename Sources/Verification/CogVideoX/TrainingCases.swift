import Autoencoders
import Checkpoints
import Compute
import Layers
import Schedulers
import Tensors
import Training
import VideoTransformers

/// Case `training`: loss and gradients of one expert training step, and the parameters after AdamW updates with and
/// without clipping.
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
    let transformer: CogVideoXTransformer
    let trained: [Parameter]
    let schedule: NoiseSchedule
    let autoencoder: CogVideoXAutoencoderConfig
    let settings: AdamW.Settings

    init(_ goldens: GoldenSet, _ golden: GoldenCase, _ tensors: GoldenTensors, clipping: String) throws {
      self.golden = golden
      self.tensors = tensors
      self.clipping = clipping
      let directory = "\(goldens.checkpoint)/transformer"
      let configuration = try ConfigFile.decode(CogVideoXConfiguration.self, at: "\(directory)/config.json")
      let loader = ParameterLoader(
        try WeightStore(directory: directory), training: CogVideoXTransformer.isExpertWeight)
      transformer = CogVideoXTransformer(loader.root, configuration)
      try loader.finish()
      trained = loader.parameters.filter(\.isTrainable)
      schedule = NoiseSchedule(
        try ConfigFile.decode(
          DiffusionConfiguration.self, at: "\(goldens.checkpoint)/scheduler/scheduler_config.json"))
      autoencoder = try ConfigFile.decode(
        CogVideoXAutoencoderConfig.self, at: "\(goldens.checkpoint)/vae/config.json")
      let optimizer = golden.info["optimizer"]
      guard let rate = optimizer?["lr"]?.double, let epsilon = optimizer?["eps"]?.double,
        let decay = optimizer?["weight_decay"]?.double,
        let betas = optimizer?["betas"]?.array?.compactMap(\.double), betas.count == 2
      else { throw golden.failure("does not describe its optimizer") }
      settings = AdamW.Settings(
        learningRate: rate, firstBeta: betas[0], secondBeta: betas[1], epsilon: epsilon, weightDecay: decay)
    }

    func compare(into comparison: inout Comparison) throws {
      guard let timesteps = golden.info["timesteps"]?.ints,
        let losses = golden.info["loss"]?[clipping]?.array?.compactMap(\.double),
        let norms = golden.info["grad_norm_before_clip"]?[clipping]?.array?.compactMap(\.double),
        losses.count == timesteps.count, norms.count == timesteps.count
      else { throw golden.failure("does not describe its steps") }
      let limit = golden.info["max_grad_norm"]?[clipping]?.double
      comparison.compare(
        "timesteps_effective", timesteps.map(NoiseSchedule.trainingTimestep),
        try tensors["timesteps_effective"].integers())
      var optimizer = AdamW(settings)
      for (step, timestep) in timesteps.enumerated() {
        let isFirst = step == 0 && clipping == "clip"
        let loss = try loss(step, at: NoiseSchedule.trainingTimestep(timestep), comparing: isFirst, &comparison)
        comparison.compare("\(clipping).loss[\(step)]", loss.doubles(), [losses[step]], TrainingCases.loss)
        let found = try loss.backward()
        let gradients = trained.compactMap { parameter in found[parameter.tensor].map { (parameter, $0) } }
        let norm = globalNorm(of: gradients.map(\.1))
        comparison.compare("\(clipping).grad_norm[\(step)]", [norm], [norms[step]], TrainingCases.gradient)
        if isFirst { try compareGradients(found, &comparison) }
        let scale = limit.map { clippingScale(norm: norm, limit: $0) } ?? 1
        for parameter in trained {
          if let gradient = found[parameter.tensor] {
            optimizer.update(parameter, gradient: gradient, gradientScale: scale)
          } else if transformer.makesUnreadQueries(parameter.key) {
            optimizer.update(parameter, gradient: .zeros(parameter.shape))
          }
        }
        try compareParameters(after: step + 1, &comparison)
      }
    }

    /// mean(1 / (1 - alpha) (x0 prediction - x0)^2)
    private func loss(
      _ step: Int, at timestep: Int, comparing isCompared: Bool, _ comparison: inout Comparison
    ) throws -> Tensor {
      let scale = Float(autoencoder.scalingFactor)
      let target = try tensors["latents"].scaled(by: scale)
      let noisy = schedule.noised(target, with: try tensors["noise_step\(step)"], at: [timestep])
      let input = try makeInput(noisy, timestep: timestep, scale: scale)
      // One of the two runs with recomputation: both must agree with the record.
      let prediction = try transformer(input, context: RunContext(recomputesSegments: clipping == "noclip"))
      let original = schedule.velocity(of: prediction, noise: noisy, at: [timestep])
      if isCompared {
        comparison.compare("step0.target", target, try tensors["step0.target"], .forward)
        comparison.compare("step0.hidden_states", input.latents, try tensors["step0.hidden_states"], .forward)
        comparison.compare("step0.pred", original, try tensors["step0.pred"], .forward)
        if let clips = input.reference?.latents {
          comparison.compare("step0.hidden_states_mot_ref", clips, try tensors["step0.hidden_states_mot_ref"], .forward)
        }
      }
      let error = original - target
      let weight = 1 / (1 - schedule.cumulativeAlphas[timestep])
      return (error * error).sum().scaled(by: Float(weight / Double(target.count)))
    }

    private func makeInput(_ noisy: Tensor, timestep: Int, scale: Float) throws -> CogVideoXInput {
      let configuration = transformer.configuration
      let (frames, patch) = (noisy.shape[1], configuration.patchSize)
      let imageScale = autoencoder.invertsScaleOfLatents ? 1 : scale
      func conditioned(_ video: Tensor, _ image: String) throws -> Tensor {
        let image = try tensors[image].scaled(by: imageScale)
        var padding = image.shape.extents
        padding[1] = frames - 1
        return .concatenated([video, .concatenated([image, .zeros(Shape(padding))], axis: 1)], axis: 2)
      }
      let grid = RotaryGrid(
        headSize: configuration.headSize, baseRows: configuration.sampleHeight / patch,
        baseColumns: configuration.sampleWidth / patch, frames: frames, rows: noisy.shape[3] / patch,
        columns: noisy.shape[4] / patch)
      let isRotary = configuration.usesRotaryEmbeddings
      let references = tensors.indices(of: "latents_mot_ref_").map(\.index)
      let clips = try references.map { index in
        try conditioned(tensors["latents_mot_ref_\(index)"].scaled(by: scale), "image_latents_mot_ref_\(index)")
      }
      let texts = try references.map { try tensors["encoder_hidden_states_mot_ref_\($0)"] }
      return CogVideoXInput(
        latents: try conditioned(noisy, "image_latents"), text: try tensors["encoder_hidden_states"],
        timesteps: [Float(timestep)], rotary: isRotary ? grid.targetTable() : nil,
        reference: .init(
          latents: .concatenated(clips, axis: 1), text: .concatenated(texts, axis: 1),
          rotary: isRotary ? grid.referenceTable(count: clips.count, .temporalBias) : nil))
    }

    private func compareGradients(_ found: GradientStore, _ comparison: inout Comparison) throws {
      let recorded = golden.info["grad_norms"]?.object ?? [:]
      let without = golden.info["trainable_without_gradient"]?.strings ?? []
      for parameter in trained {
        let key = parameter.key
        guard let gradient = found[parameter.tensor] else {
          // Published training finds zeros for the unread queries.
          if let norm = recorded[key]?.double, !(transformer.makesUnreadQueries(key) && norm == 0) {
            comparison.fail("grad.\(key)", "was not found, recorded norm \(norm)")
          }
          continue
        }
        if without.contains(key) { comparison.fail("grad.\(key)", "exists, recorded none") }
        if let norm = recorded[key]?.double {
          comparison.compare("grad_norms.\(key)", [gradient.squaredNorm().squareRoot()], [norm], TrainingCases.gradient)
        }
        if let expected = try tensors.optional("grad.\(key)") {
          comparison.compare("grad.\(key)", gradient, expected, TrainingCases.gradient)
        }
      }
    }

    private func compareParameters(after step: Int, _ comparison: inout Comparison) throws {
      for parameter in trained {
        let name = "\(clipping).after_\(step).\(parameter.key)"
        guard let expected = try tensors.optional(name) else { continue }
        comparison.compare(name, parameter.tensor, expected, TrainingCases.parameter)
      }
    }
  }
}
