import Autoencoders
import Checkpoints
import Compute
import Encoders
import Layers
import Runtime
import Schedulers
import Tensors

// What backbones do alike with the directory of their checkpoint.
extension VideoPromptBackbone {
  /// Loads the transformer, with what is added to it.
  package func loadDenoiser(observer: @escaping RunObserver) throws -> Denoiser {
    observer(.stage("load transformer", units: 0))
    let loader = ParameterLoader(try additions.weights(directory), adapters: additions.adapterSources)
    let denoiser = makeDenoiser(in: loader.root)
    let unused = try loader.finish { isUnusedKey($0) || additions.isReplaced($0) }
    try additions.checkExpert(unused: unused)
    try loader.finishAdapters()
    Self.warn(of: unused, in: additions.configurationFolder(directory), observer)
    return denoiser
  }

  /// Reads the sampling method of the pipeline in `directory`; throws unless it is for flows or not, as its model is.
  static func readScheduler(directory: String, samplesFlows: Bool) throws -> SchedulerConfiguration {
    let path = "\(directory)/scheduler/scheduler_config.json"
    let scheduler = try ConfigFile.decode(SchedulerConfiguration.self, at: path)
    guard scheduler.samplesFlows == samplesFlows else {
      throw BackboneFailure.component(
        path: path,
        problem:
          "_class_name is a scheduler for \(samplesFlows ? "CogVideoX" : "Wan") models, and this is not one; use the "
          + "scheduler that was published with the transformer")
    }
    return scheduler
  }

  /// Loads the model in a component's folder; tensors that are not part of it are warned of.
  func load<Model>(
    _ component: String, observer: @escaping RunObserver, ignoring ignorable: (String) -> Bool = { _ in false },
    _ build: (ParameterScope) -> Model
  ) throws -> Model {
    let path = "\(directory)/\(component)"
    let loader = ParameterLoader(try WeightStore(directory: path))
    let model = build(loader.root)
    Self.warn(of: try loader.finish(ignoring: ignorable), in: path, observer)
    return model
  }

  private static func warn(of unused: [String], in path: String, _ observer: RunObserver) {
    guard !unused.isEmpty else { return }
    let names = unused.prefix(10).map { printable($0) }.joined(separator: ", ")
    observer(
      .warning(
        "\(printable(path)): \(unused.count) tensors are not part of the model and stay unused: \(names)"
          + (unused.count > 10 ? ", …" : "")))
  }

  /// Decodes latents, which are scaled as the autoencoder takes them, `[1, L, f, h, w]`.
  func decode(
    _ latents: Tensor, by autoencoder: some VideoAutoencoder, tiling: SpatialTiling?, _ options: BackboneOptions,
    observer: @escaping RunObserver, _ frames: (Tensor) throws -> Void
  ) throws {
    var isAnnounced = false
    try autoencoder.decode(
      latents, tiling: tiling, context: options.context,
      onProgress: { done, total in
        if !isAnnounced { observer(.stage("decode video", units: total)) }
        isAnnounced = true
        observer(.progress(done))
      },
      onFrames: { try frames($0.pixels.reshaped(Shape([1] + $0.pixels.shape.extents))) })
  }

  /// Loads the text encoder of the T5 family.
  func loadTextEncoder(_ configuration: T5EncoderConfiguration, observer: @escaping RunObserver) throws -> T5Encoder {
    try load("text_encoder", observer: observer, ignoring: T5Encoder.isTiedKey) { T5Encoder($0, configuration) }
  }

  /// Throws unless sizes are multiples of `multiple`, frames one more than a multiple of `temporalRatio`, and references
  /// as many as the model can read.
  func check(
    _ geometry: ClipGeometry, multiple: Int, temporalRatio: Int, referenceCount: Int
  ) throws(BackboneFailure) {
    guard geometry.height > 0, geometry.width > 0, geometry.height % multiple == 0, geometry.width % multiple == 0
    else { throw .size(geometry, multiple: multiple) }
    guard geometry.frames > 0, (geometry.frames - 1) % temporalRatio == 0 else {
      throw .frames(geometry.frames, multiple: temporalRatio)
    }
    try checkReferences(referenceCount)
  }

  /// Throws unless so many references are as many as the model can read.
  package func checkReferences(_ count: Int) throws(BackboneFailure) {
    if count > 0, !hasExpert { throw .noExpert(path: directory) }
    // More than the published training ever used do not fit the temporal positions it saw.
    let limit = transformer.coupling.referenceLimit ?? 3
    guard count <= limit else { throw .references(count, limit: limit) }
  }
}
