import Backbones
import Compute
import Generation
import Layers
import Media
import Schedulers
import Tensors

/// Cases `pipeline_*`: a whole generation from recorded latents.
struct WanPipelineCases {
  private static let prepared = Tolerance(norm: 1e-3)
  private static let pixels = Tolerance(absolute: 1e-6)

  let goldens: GoldenSet

  func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    guard let height = golden.info["height"]?.int, let width = golden.info["width"]?.int,
      let frames = golden.info["num_frames"]?.int, let steps = golden.info["steps"]?.int,
      let scale = golden.info["guidance_scale"]?.double
    else { throw golden.failure("does not say height, width, num_frames, steps or guidance_scale") }
    let method: SamplingMethod = golden.name.hasSuffix("euler") ? .euler : .unipc
    let geometry = ClipGeometry(height: height, width: width, frames: frames)
    let tensors = try golden.openTensors()
    let backbone = try WanBackbone(directory: goldens.checkpoint)
    // One case holds the inputs and what they are prepared to, for both.
    let shared = try goldens.golden("pipeline_unipc").openTensors()
    let prompt = try prompt(golden, geometry, shared, &comparison)
    let options = BackboneOptions()
    let conditions = try backbone.encode(
      prompt, geometry, noise: SeededNoise(seed: 0), options, observer: { _ in })
    try compareFirstCall(conditions, shared, &comparison)

    guard let configuration = backbone.scheduler.using(method) else {
      throw golden.failure("does not fit the scheduler")
    }
    let scheduler = try configuration.scheduler(steps: steps)
    comparison.compare("timesteps", scheduler.timesteps, try tensors["timesteps"].doubles(), .exact)
    let latents = try Sampler(scheduler: scheduler, guidance: .constant(scale)).run(
      backbone.loadDenoiser(observer: { _ in }), from: tensors["latents.initial"], conditions,
      noise: SeededNoise(seed: 0), options
    ) { step in
      let name = "step\(step.index)"
      for (half, sample) in [("unconditional", 0), ("conditional", 1)] {
        comparison.compare(
          "\(name).model_output_\(half)", step.modelOutput.sliced(0, sample..<sample + 1),
          try tensors["\(name).model_output_\(half)"], Self.prepared)
      }
      comparison.compare("\(name).latents", step.latents, try tensors["\(name).latents"], Self.prepared)
    }
    try compareFrames(backbone, latents, tensors, &comparison)
  }

  private func prompt(
    _ golden: GoldenCase, _ geometry: ClipGeometry, _ tensors: GoldenTensors, _ comparison: inout Comparison
  ) throws -> VideoPrompt {
    let prompts = golden.info["prompts"]
    guard let caption = prompts?["prompt"]?.string, let captions = prompts?["ref"]?.strings, captions.count == 1,
      let negative = prompts?["negative"]?.string, let negativeReference = prompts?["negative_ref"]?.string
    else { throw golden.failure("lacks prompts") }
    let size = FrameSize(width: geometry.width, height: geometry.height)
    let picture = try VideoClip(bytes: tensors["image.uint8"])
    let image = picture.resized(to: size).pixelTensor()
    let video = try VideoClip(bytes: tensors["reference_video.uint8"])
    let indices = FrameSelection.evenIndices(selecting: geometry.frames, of: video.frameCount)
    comparison.compare("frame_indices", indices, golden.info["frame_indices"]?.ints ?? [])
    let clip = video.selecting(indices).resized(to: size).pixelTensor()
    func frame(_ index: Int) -> Tensor {
      clip.sliced(2, index..<index + 1).reshaped([1, 3, geometry.height, geometry.width])
    }
    for (name, tensor) in [
      ("image.preprocessed", image.reshaped([1, 3, geometry.height, geometry.width])),
      ("reference_video.preprocessed_first_frame", frame(0)),
      ("reference_video.preprocessed_last_frame", frame(geometry.frames - 1)),
    ] {
      comparison.compare(name, tensor, try tensors[name], Self.pixels)
    }
    return VideoPrompt(
      image: image, picture: picture, caption: caption, negativeCaption: negative,
      negativeReferenceCaption: negativeReference,
      references: [
        VideoPrompt.Reference(video: clip, picture: video.selecting([indices[0]]), caption: captions[0])
      ])
  }

  private func compareFirstCall(
    _ conditions: WanConditions, _ tensors: GoldenTensors, _ comparison: inout Comparison
  ) throws {
    guard let reference = conditions.reference else { return comparison.fail("reference", "was not encoded") }
    let channels = try tensors["prepared.latents_mot_ref"].shape[1]
    func rows(_ text: Tensor) -> Tensor { text.sliced(0, 1..<2).sliced(1, 0..<96) }
    for (name, tensor) in [
      ("prepared.condition", conditions.image),
      ("prepared.latents_mot_ref", reference.latents.sliced(1, 0..<channels)),
      ("prepared.condition_mot_ref", reference.latents.sliced(1, channels..<reference.latents.shape[1])),
      ("transformer_input.encoder_hidden_states_image", conditions.picture),
      ("transformer_input.encoder_hidden_states_image_mot_ref", reference.pictures),
      ("transformer_input.encoder_hidden_states_first96of512", rows(conditions.text)),
      ("transformer_input.encoder_hidden_states_mot_ref_first96of512", rows(reference.text)),
    ] {
      comparison.compare(name, tensor, try tensors[name], Self.prepared)
    }
  }

  private func compareFrames(
    _ backbone: WanBackbone, _ latents: Tensor, _ tensors: GoldenTensors, _ comparison: inout Comparison
  ) throws {
    var batches: [Tensor] = []
    try backbone.decode(latents, BackboneOptions(), observer: { _ in }, frames: { batches.append($0) })
    let pixels = Tensor.concatenated(batches, axis: 2)
    let clip = VideoClip(pixels: pixels, frameRate: .training)
    let recorded = try tensors["frames.uint8"]
    comparison.compare(
      "frames.uint8", clip.pixels.map(Double.init), recorded.doubles(), Tolerance(absolute: 1))
    guard let expected = try tensors.optional("frames.float_first_middle_last") else { return }
    let floats = pixels.scaled(by: 0.5, adding: 0.5).clamped(to: 0...1).permuted(0, 2, 3, 4, 1)[0]  // [F, H, W, 3]
    let count = floats.shape[0]
    let chosen = [0, count / 2, count - 1].map { floats.sliced(0, $0..<$0 + 1) }
    comparison.compare(
      "frames.float_first_middle_last", .concatenated(chosen, axis: 0), expected, Self.prepared)
  }
}
