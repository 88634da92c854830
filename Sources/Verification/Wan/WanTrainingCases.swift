import Backbones
import Checkpoints
import Compute
import Layers
import Media
import Runtime
import Schedulers
import Tensors
import Training

/// Case `training`: encoding of clips, loss and gradients of expert training steps, and the parameters after clipped
/// AdamW updates, all by the code that trains and with the faults of published training.
struct WanTrainingCases {
  private static let forward = Tolerance(norm: 1e-4)
  private static let loss = Tolerance(absolute: 0, relative: 1e-5)
  private static let gradient = Tolerance(norm: 1e-3)
  /// Of an update: the first one of AdamW is close to the sign of a gradient.
  private static let update = Tolerance(norm: 1e-2)

  let goldens: GoldenSet

  func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let tensors = try golden.openTensors()
    try compareOptimizer(golden, tensors, &comparison)
    let clips = try encodedClips(golden, tensors, &comparison)
    var run = try Run(goldens, golden, tensors)
    try run.compare(clips.target, clips.reference, into: &comparison)
  }

  /// AdamW alone, on given gradients.
  private func compareOptimizer(
    _ golden: GoldenCase, _ tensors: GoldenTensors, _ comparison: inout Comparison
  ) throws {
    guard let rate = golden.info["adamw_unit_lr"]?.double else { throw golden.failure("lacks adamw_unit_lr") }
    var optimizer = try AdamW.recorded(golden.info["hyperparameters"], golden).optimizer
    let parameter = Parameter(key: "unit", tensor: try tensors["adamw_unit.initial"], isTrainable: true)
    optimizer.prepare([parameter])
    for (index, name) in tensors.indices(of: "adamw_unit.gradient") {
      optimizer.update(parameter, gradient: try tensors[name], gradientScale: 1, learningRate: rate)
      comparison.compare(
        "adamw_unit.after\(index + 1)", parameter.tensor, try tensors["adamw_unit.after\(index + 1)"],
        Tolerance(absolute: 1e-6, relative: 1e-6))
    }
  }

  // MARK: Clips

  private func encodedClips(
    _ golden: GoldenCase, _ tensors: GoldenTensors, _ comparison: inout Comparison
  ) throws -> (target: EncodedClip, reference: EncodedClip) {
    guard let caption = golden.info["captions"]?["target"]?.string,
      let others = golden.info["captions"]?["reference"]?.strings, others.count == 1
    else { throw golden.failure("lacks captions") }
    let backbone = try WanBackbone(directory: goldens.checkpoint)
    let encoder = try backbone.makeClipEncoder(BackboneOptions(faults: .all), observer: { _ in })
    func encoded(_ video: String, _ caption: String, _ suffix: String) throws -> EncodedClip {
      let pixels = try tensors[video].permuted(0, 2, 1, 3, 4).dense()  // [1, 3, F, H, W]
      let picture = VideoClip(pixels: pixels.sliced(2, 0..<1), frameRate: .training)
      let clip = try encoder.encode(
        PreparedClip(pixels: pixels, picture: picture), caption: caption, observer: { _ in })
      func compare(_ name: String, _ recorded: String, _ pick: (Tensor) -> Tensor = { $0 }) throws {
        let recorded = "conditions.\(recorded)\(suffix)"
        guard let tensor = clip.tensors[name] else { return comparison.fail(recorded, "was not encoded") }
        comparison.compare(recorded, tensor, pick(try tensors[recorded]), Self.forward)
      }
      try compare("video", "latents")
      try compare("text", "encoder_hidden_states")
      try compare("picture", "encoder_hidden_states_image")
      // Of a condition only the mean is used.
      try compare("image", "latent_condition") { $0.sliced(1, 0..<$0.shape[1] / 2) }
      return clip
    }
    return (try encoded("video", caption, ""), try encoded("reference_video", others[0], "_mot_ref"))
  }

  // MARK: Steps

  /// Updates of a fresh model.
  private struct Run {
    let golden: GoldenCase
    let tensors: GoldenTensors
    let model: WanTraining
    let learningRate: Double
    var optimizer: AdamW

    init(_ goldens: GoldenSet, _ golden: GoldenCase, _ tensors: GoldenTensors) throws {
      self.golden = golden
      self.tensors = tensors
      var backbone = try WanBackbone(directory: goldens.checkpoint)
      backbone.noising.distribution = .uniform
      let shape = try tensors["video"].shape
      model = try backbone.makeTraining(
        backbone.openWeights(), ClipGeometry(height: shape[3], width: shape[4], frames: shape[1]), faults: .all,
        training: backbone.isPublishedTarget)
      (optimizer, learningRate) = try AdamW.recorded(golden.info["hyperparameters"], golden)
    }

    mutating func compare(_ target: EncodedClip, _ reference: EncodedClip, into comparison: inout Comparison) throws {
      guard let indices = golden.info["hyperparameters"]?["sigma_idx"]?.ints,
        let limit = golden.info["hyperparameters"]?["max_grad_norm"]?.double,
        let steps = golden.info["steps"]?.array, steps.count == indices.count
      else { throw golden.failure("does not describe its steps") }
      let recorded = TrainingComparison(model, tensors, WanTrainingCases.gradient)
      let start = recorded.values
      optimizer.prepare(recorded.parameters)
      for (step, index) in indices.enumerated() {
        // One step with recomputation: it must agree with the record like the others.
        let evaluation = try model.evaluate(
          target: target, references: [reference],
          draws: TrainingDraws(
            // In the middle of what leads to the level.
            level: (Double(index) + 0.5) / 1000, noise: RecordedNoise(tensors: tensors, step: step)),
          context: RunContext(recomputesSegments: step == 1))
        try compare(evaluation, step, steps[step], &comparison)
        let found = try evaluation.loss.backward()
        let without = steps[0]["no_gradient"]?.strings ?? []
        let gradients = StepGradients(found, of: recorded.parameters, zeroWhere: model.isUnread)
        // Lengths are recorded before the gradients are clipped, their elements afterwards (the set's README says otherwise).
        try recorded.compareGradients(
          found, norms: steps[step]["gradient_norms"]?.object ?? [:], without: without, prefix: "gradient\(step).",
          scale: clippingScale(norm: gradients.norm, limit: limit), &comparison)
        if let norm = steps[step]["total_gradient_norm_before_clipping"]?.double {
          comparison.compare("step\(step).gradient_norm", [gradients.norm], [norm], WanTrainingCases.gradient)
        }
        gradients.apply(limit: limit, learningRate: learningRate, by: &optimizer)
        try compareUpdates(
          recorded.parameters, after: step, start, norms: steps[step]["update_norms"]?.object ?? [:], &comparison)
        recorded.compareUntouched(without, start, &comparison)
      }
    }

    private func compare(
      _ evaluation: WanTraining.Evaluation, _ step: Int, _ info: JSONValue, _ comparison: inout Comparison
    ) throws {
      let name = "step\(step)"
      comparison.compare("\(name).sigma", Tensor([evaluation.level]), try tensors["\(name).sigma"], .exact)
      comparison.compare(
        "\(name).timestep", [evaluation.timestep], try tensors["\(name).timestep"].doubles(), .exact)
      for (part, tensor) in [("prediction", evaluation.prediction), ("target", evaluation.target)] {
        comparison.compare("\(name).\(part)", tensor, try tensors["\(name).\(part)"], WanTrainingCases.forward)
      }
      if let expected = try tensors.optional("\(name).hidden_states"), let clips = evaluation.conditions.reference {
        comparison.compare(
          "\(name).hidden_states", .concatenated([evaluation.noisy, evaluation.conditions.image], axis: 1), expected,
          WanTrainingCases.forward)
        comparison.compare(
          "\(name).hidden_states_mot_ref", clips.latents, try tensors["\(name).hidden_states_mot_ref"],
          WanTrainingCases.forward)
      }
      guard let loss = info["loss"]?.double else { throw golden.failure("has a step without a loss") }
      comparison.compare("\(name).loss", evaluation.loss.doubles(), [loss], WanTrainingCases.loss)
    }

    /// Where a set holds the values after the last step under the names of an earlier one too, as wan-tiny does, they are
    /// compared at the last one only; lengths are recorded rightly.
    private func compareUpdates(
      _ parameters: [Parameter], after step: Int, _ start: [String: Tensor], norms: [String: JSONValue],
      _ comparison: inout Comparison
    ) throws {
      for parameter in parameters {
        guard let before = start[parameter.key] else { continue }
        let name = "updated_after\(step + 1).\(parameter.key)"
        let change = parameter.tensor.detached - before
        if let expected = try tensors.optional(name), try !isOfLaterStep(expected, name, step) {
          comparison.compare(name, change, expected - before, WanTrainingCases.update)
        }
        if let norm = norms[parameter.key]?.double {
          comparison.compare("norm of \(name)", [change.squaredNorm().squareRoot()], [norm], WanTrainingCases.update)
        }
      }
    }

    private func isOfLaterStep(_ values: Tensor, _ name: String, _ step: Int) throws -> Bool {
      let last = golden.info["steps"]?.array?.count ?? step + 1
      guard step + 1 < last,
        let later = try tensors.optional(name.replacing("after\(step + 1).", with: "after\(last)."))
      else { return false }
      return later.floats() == values.floats()
    }
  }

  /// Noises of a step as they were recorded.
  private struct RecordedNoise: NoiseSource {
    let tensors: GoldenTensors
    let step: Int

    func noise(for purpose: NoisePurpose, shape: Shape) throws -> Tensor {
      switch purpose {
      case .initialLatents: try tensors["step\(step).noise"]
      case .target: try tensors["step\(step).posterior_noise"]
      case .reference: try tensors["step\(step).reference_posterior_noise"]
      case .image, .referenceFirstFrame, .referenceNoise, .sampling, .otherVideo: .zeros(shape)
      }
    }
  }
}
