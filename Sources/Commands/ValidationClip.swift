import Backbones
import Evaluation
import Generation
import Media
import Runtime
import Schedulers
import Training

/// Makes one clip with the weights of a step, to be looked at beside its references and its target.
struct ValidationClip<Backbone: TrainableBackbone> {
  let backbone: Backbone
  let folder: RunFolder
  /// Pixels of the written clip for one of the generated one.
  var enlargement = 1

  /// Writes `validation/step-000100.mp4`: references, target and new clip side by side.
  ///
  /// - Parameters:
  ///   - metrics: what was measured besides.
  ///   - truth: the target, of the generated clip's size.
  func make(
    _ request: GenerationRequest, step: Int, _ weights: CurrentWeights, metrics: [String: Double] = [:],
    observer: @escaping RunObserver, truth: (FrameSize) throws -> VideoClip
  ) throws -> ValidationRecord? {
    let generator = try Generator(backbone, request, observer: observer)
    let inputs = try generator.readInputs(observer: observer)
    let latents = try generator.denoise(inputs, by: backbone.makeDenoiser(weights), observer: observer)
    let clip = try generator.decode(latents, savedLatents: nil, observer: observer)
    let truth = try truth(generator.size)
    var shown = inputs.references.map(\.clip) + [truth, clip]
    for index in shown.indices { shown[index].frameRate = clip.frameRate }
    // At least the new clip is there.
    guard let joined = VideoClip.sideBySide(shown) else { return nil }
    let path = folder.validationClip(step: step)
    var writing = VideoWriter.Options()
    writing.overwrites = true
    try VideoWriter.write(joined.enlarged(by: enlargement), to: path, options: writing)
    observer(.note("validation clip: \(path)"))
    let quality = ["psnr": try FrameDifference.peakSignalToNoiseRatio(clip, truth)]
    return ValidationRecord(
      step: step, caption: request.caption,
      panels: inputs.references.map { _ in "reference" } + ["target", "generated"],
      metrics: quality.merging(metrics) { $1 })
  }
}

extension TrainSettings {
  /// A clip of this size as validations make it.
  func validationRequest(model: String, image: String, caption: String, _ geometry: ClipGeometry) -> GenerationRequest {
    var request = GenerationRequest(model: model, image: image, caption: caption)
    request.height = geometry.height
    request.width = geometry.width
    request.frames = geometry.frames
    request.steps = validationSteps
    request.guidance = validationGuidance.map(Guidance.constant)
    request.seed = seed
    return request
  }
}
