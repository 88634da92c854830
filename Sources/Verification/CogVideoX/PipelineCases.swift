import Backbones
import Checkpoints
import Compute
import Foundation
import Generation
import Layers
import Media
import Schedulers
import Synchronization
import Tensors

/// Cases `pipeline_*`: a whole generation on recorded noise.
struct PipelineCases {
  let goldens: GoldenSet

  func runInputs(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let inputs = try PipelineInputs(golden)
    comparison.compare("ref_indices", inputs.indices, golden.info["ref_indices"]?.ints ?? [])
    let backbone = try CogVideoXBackbone(directory: goldens.checkpoint)
    comparison.compare(
      "shape of init_latents", backbone.latentShape(inputs.geometry).extents, inputs.initialLatents.shape.extents)
  }

  func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    guard let method = Self.methods[golden.info["scheduler"]?.string ?? ""],
      let scale = golden.info["guidance_scale"]?.double, let referenceCount = golden.info["refs"]?.int
    else { throw golden.failure("does not say scheduler, guidance_scale or refs") }
    let inputs = try PipelineInputs(goldens.golden("pipeline_inputs"))
    let tensors = try golden.openTensors()
    var backbone = try CogVideoXBackbone(directory: goldens.checkpoint)
    if let flag = golden.info["invert_scale_latents"]?.bool { backbone.autoencoder.invertsScaleOfLatents = flag }

    let noise = RecordedNoise(tensors, initialLatents: inputs.initialLatents, referenceCount: referenceCount)
    let options = BackboneOptions()
    let prompt = try inputs.prompt(referenceCount: referenceCount)
    let conditions = try backbone.encode(prompt, inputs.geometry, noise: noise, options, observer: { _ in })
    try compareFirstCall(conditions, inputs, tensors, &comparison)

    guard let configuration = backbone.scheduler.using(method) else {
      throw golden.failure("does not fit the scheduler")
    }
    let recorded = try tensors["timesteps"].integers()
    let scheduler = try configuration.scheduler(steps: recorded.count)
    comparison.compare("timesteps", scheduler.timesteps.map { Int($0) }, recorded)
    let guidance: Guidance = golden.info["use_dynamic_cfg"]?.bool == true ? .dynamic(scale) : .constant(scale)
    let last = recorded.count - 1
    var scales: [Double] = []
    let latents = try Sampler(scheduler: scheduler, guidance: guidance).run(
      backbone.loadDenoiser(observer: { _ in }), from: inputs.initialLatents, conditions, noise: noise, options
    ) { step in
      // Differences grow from step to step; the bounds are those of the set's README.
      let tolerance = Tolerance(absolute: step.index == 0 ? 1e-4 : 1e-3)
      scales.append(step.guidanceScale)
      if let output = try tensors.optional("model_output_\(step.index)") {
        comparison.compare("model_output_\(step.index)", step.modelOutput, output, tolerance)
      }
      if let expected = try tensors.optional("latents_\(step.index)") {
        comparison.compare("latents_\(step.index)", step.latents, expected, tolerance)
      }
    }
    if let expected = try tensors.optional("guidance_scale_f64") {
      comparison.compare("guidance_scale_f64", scales, expected.doubles(), Tolerance(absolute: 1e-9))
    }
    if !tensors.contains("latents_\(last)") { comparison.fail("latents_\(last)", "is not recorded") }
    try compareFrames(backbone, latents, tensors, &comparison)
  }

  private static let methods: [String: SamplingMethod] = [
    "CogVideoXDDIMScheduler": .ddim, "CogVideoXDPMScheduler": .dpm,
  ]

  private func compareFirstCall(
    _ conditions: CogVideoXConditions, _ inputs: PipelineInputs, _ tensors: GoldenTensors,
    _ comparison: inout Comparison
  ) throws {
    let actual: [(String, Tensor?)] = [
      ("hidden_states", .concatenated([inputs.initialLatents, conditions.image], axis: 2)),
      ("hidden_states_mot_ref", conditions.reference?.latents),
      ("encoder_hidden_states", conditions.text),
      ("encoder_hidden_states_mot_ref", conditions.reference?.text),
    ]
    for case (let name, let tensor?) in actual {
      guard let expected = try tensors.optional("call0.\(name)") else { continue }
      comparison.compare("call0.\(name)", tensor, expected, .forward)
    }
  }

  private func compareFrames(
    _ backbone: CogVideoXBackbone, _ latents: Tensor, _ tensors: GoldenTensors, _ comparison: inout Comparison
  ) throws {
    var batches: [Tensor] = []
    try backbone.decode(latents, BackboneOptions(), observer: { _ in }) { batches.append($0) }
    let pixels = Tensor.concatenated(batches, axis: 2)
    let frames = Tensor(pixels.floats().map { min(max($0 / 2 + 0.5, 0), 1) }, shape: pixels.shape)
      .permuted(0, 2, 3, 4, 1)  // [1, F, H, W, 3]
    let count = frames.shape[1]
    let tolerance = Tolerance(absolute: 2e-3)
    if let expected = try tensors.optional("frames") { comparison.compare("frames", frames, expected, tolerance) }
    if let expected = try tensors.optional("frames_last") {
      comparison.compare("frames_last", frames.sliced(1, count - 1..<count), expected, tolerance)
    }
    guard let means = try tensors.optional("frames_mean_f64") else { return }
    let actual = (0..<count).map { frame in
      let values = frames.sliced(1, frame..<frame + 1).floats()
      return values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
    }
    comparison.compare("frames_mean_f64", actual, means.doubles(), Tolerance(absolute: 2e-4))
  }
}

/// The inputs that all pipeline cases of a set share.
private struct PipelineInputs {
  let geometry: ClipGeometry
  let initialLatents: Tensor
  /// Frames taken from every reference, chosen by the length of the first.
  let indices: [Int]
  private let golden: GoldenCase
  private let tensors: GoldenTensors

  init(_ golden: GoldenCase) throws {
    guard let height = golden.info["height"]?.int, let width = golden.info["width"]?.int,
      let frames = golden.info["num_frames"]?.int
    else { throw golden.failure("does not say height, width or num_frames") }
    self.golden = golden
    tensors = try golden.openTensors()
    geometry = ClipGeometry(height: height, width: width, frames: frames)
    initialLatents = try tensors["init_latents"]
    indices = FrameSelection.evenIndices(selecting: frames, of: try tensors["ref_0_uint8"].shape[0])
  }

  func prompt(referenceCount: Int) throws -> VideoPrompt {
    let prompts = golden.info["prompts"]
    guard let caption = prompts?["prompt"]?.string, let captions = prompts?["ref"]?.strings,
      let negative = prompts?["neg"]?.string, captions.count >= referenceCount
    else { throw golden.failure("lacks prompts") }
    let size = FrameSize(width: geometry.width, height: geometry.height)
    return VideoPrompt(
      image: try VideoClip(bytes: tensors["image_uint8"]).resized(to: size).pixelTensor(), caption: caption,
      negativeCaption: negative,
      references: try (0..<referenceCount).map { index in
        let clip = try VideoClip(bytes: tensors["ref_\(index)_uint8"]).selecting(indices).resized(to: size)
        return VideoPrompt.Reference(video: clip.pixelTensor(), caption: captions[index])
      })
  }
}

/// Noise as the reference implementation drew it.
private final class RecordedNoise: NoiseSource {
  private let tensors: GoldenTensors
  private let initialLatents: Tensor
  private let referenceCount: Int
  private let schedulerDraws = Mutex(0)

  init(_ tensors: GoldenTensors, initialLatents: Tensor, referenceCount: Int) {
    self.tensors = tensors
    self.initialLatents = initialLatents
    self.referenceCount = referenceCount
  }

  func noise(for purpose: NoisePurpose, shape: Shape) throws -> Tensor {
    let noise =
      switch purpose {
      case .initialLatents: initialLatents
      case .target, .referenceNoise, .otherVideo:
        throw GoldenFailure(path: "recorded noise", problem: "has no draws of a training")
      case .image: try posterior(0)
      case .reference(let index): try posterior(1 + index)
      case .referenceFirstFrame(let index): try posterior(1 + referenceCount + index)
      case .sampling:
        try tensors[
          String(
            format: "scheduler_noise_%02d",
            schedulerDraws.withLock { count in
              defer { count += 1 }
              return count
            })]
      }
    guard noise.shape == shape else {
      throw GoldenFailure(path: "recorded noise", problem: "has shape \(noise.shape) where \(shape) is drawn")
    }
    return noise
  }

  private func posterior(_ index: Int) throws -> Tensor {
    try tensors[String(format: "posterior_noise_%02d", index)]
  }
}
