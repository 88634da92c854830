import Autoencoders
import Checkpoints
import Compute
import Encoders
import Layers
import Runtime
import Schedulers
import Tensors
import Tokenizers
import VideoTransformers

/// A CogVideoX image-to-video pipeline directory, with or without a Video-As-Prompt expert.
package struct CogVideoXBackbone: VideoPromptBackbone {
  /// More references than the published training ever used do not fit the temporal positions it saw.
  private static let referenceLimit = 3

  package let directory: String
  package let scheduler: SchedulerConfiguration
  package let transformer: CogVideoXConfiguration
  package var autoencoder: CogVideoXAutoencoderConfig
  package let textEncoder: T5EncoderConfiguration
  package let positionDesign: PositionDesign

  /// Pixels to a latent in each spatial direction.
  private var spatialRatio: Int { autoencoder.spatialRatio }
  private var temporalRatio: Int { autoencoder.temporalRatio }

  /// Reads the configurations of all components; weights are opened stage by stage.
  package init(directory: String, positionDesign: PositionDesign = .temporalBias) throws {
    guard try BackboneKind(directory: directory) == .cogVideoX else {
      throw BackboneFailure.component(
        path: directory, problem: "is a Wan pipeline; generating with it is not supported yet, only `vap verify` is")
    }
    self.directory = directory
    self.positionDesign = positionDesign
    scheduler = try ConfigFile.decode(
      SchedulerConfiguration.self, at: "\(directory)/scheduler/scheduler_config.json")
    transformer = try ConfigFile.decode(CogVideoXConfiguration.self, at: "\(directory)/transformer/config.json")
    autoencoder = try ConfigFile.decode(CogVideoXAutoencoderConfig.self, at: "\(directory)/vae/config.json")
    textEncoder = try ConfigFile.decode(T5EncoderConfiguration.self, at: "\(directory)/text_encoder/config.json")
    try checkComponentsAgree()
  }

  private func checkComponentsAgree() throws(BackboneFailure) {
    let path = "\(directory)/transformer/config.json"
    guard textEncoder.hiddenSize == transformer.textEmbeddingSize else {
      throw .component(
        path: path,
        problem: "text_embed_dim is \(transformer.textEmbeddingSize), but the text encoder's d_model is "
          + "\(textEncoder.hiddenSize)")
    }
    // Noisy latents and the image condition side by side.
    guard transformer.inChannels == 2 * autoencoder.latentChannels,
      transformer.outChannels == autoencoder.latentChannels
    else {
      throw .component(
        path: path,
        problem: "in_channels \(transformer.inChannels) and out_channels \(transformer.outChannels) do not fit the "
          + "autoencoder's \(autoencoder.latentChannels) latent channels; an image-to-video model needs twice as many "
          + "in, and as many out")
    }
  }

  package func check(_ geometry: ClipGeometry, referenceCount: Int) throws(BackboneFailure) {
    let multiple = spatialRatio * transformer.patchSize
    guard geometry.height > 0, geometry.width > 0, geometry.height % multiple == 0, geometry.width % multiple == 0
    else {
      throw .size(geometry, multiple: multiple)
    }
    let (height, width) = (transformer.sampleHeight * spatialRatio, transformer.sampleWidth * spatialRatio)
    if transformer.usesLearnedEmbeddings, geometry.height != height || geometry.width != width {
      throw .fixedSize(geometry, height: height, width: width)
    }
    guard geometry.frames > 0, (geometry.frames - 1) % temporalRatio == 0 else {
      throw .frames(geometry.frames, multiple: temporalRatio)
    }
    if referenceCount > 0, !transformer.hasExpert { throw .noExpert(path: directory) }
    guard referenceCount <= Self.referenceLimit else { throw .references(referenceCount, limit: Self.referenceLimit) }
  }

  package var naturalGeometry: ClipGeometry {
    ClipGeometry(
      height: transformer.sampleHeight * spatialRatio, width: transformer.sampleWidth * spatialRatio,
      frames: transformer.sampleFrames)
  }

  /// `[1, F, C, H, W]` in latent frames and sizes.
  package func latentShape(_ geometry: ClipGeometry) -> Shape {
    [
      1, (geometry.frames - 1) / temporalRatio + 1, autoencoder.latentChannels, geometry.height / spatialRatio,
      geometry.width / spatialRatio,
    ]
  }

  package func loadDenoiser(observer: @escaping RunObserver) throws -> CogVideoXDenoiser {
    observer(.stage("load transformer", units: 0))
    let path = "\(directory)/transformer"
    let model = try load(path, observer: observer) { CogVideoXTransformer($0, transformer) }
    return CogVideoXDenoiser(model: model, positionDesign: positionDesign)
  }

  package func decode(
    _ latents: Tensor, _ options: BackboneOptions, observer: @escaping RunObserver, frames: (Tensor) throws -> Void
  ) throws {
    let autoencoder = try loadAutoencoder(observer: observer)
    let scaled = latents.permuted(0, 2, 1, 3, 4).scaled(by: 1 / Float(self.autoencoder.scalingFactor))
    var isAnnounced = false
    try autoencoder.decode(
      scaled, tiling: tiling(options), context: options.context,
      onProgress: { done, total in
        if !isAnnounced { observer(.stage("decode video", units: total)) }
        isAnnounced = true
        observer(.progress(done))
      },
      onFrames: { try frames($0.pixels.reshaped(Shape([1] + $0.pixels.shape.extents))) })
  }

  // MARK: Components

  func loadAutoencoder(observer: @escaping RunObserver) throws -> CogVideoXAutoencoder {
    try load("\(directory)/vae", observer: observer) { CogVideoXAutoencoder($0, autoencoder) }
  }

  func loadTextEncoder(observer: @escaping RunObserver) throws -> T5Encoder {
    try load("\(directory)/text_encoder", observer: observer, ignoring: T5Encoder.isTiedKey) {
      T5Encoder($0, textEncoder)
    }
  }

  func loadTokenizer() throws -> T5Tokenizer { try T5Tokenizer(directory: "\(directory)/tokenizer") }

  func tiling(_ options: BackboneOptions) -> SpatialTiling? {
    options.usesTiles ? autoencoder.defaultTiling : nil
  }

  private func load<Model>(
    _ path: String, observer: @escaping RunObserver, ignoring ignorable: (String) -> Bool = { _ in false },
    _ build: (ParameterScope) -> Model
  ) throws -> Model {
    let loader = ParameterLoader(try WeightStore(directory: path))
    let model = build(loader.root)
    let unexpected = try loader.finish(ignoring: ignorable)
    if !unexpected.isEmpty {
      let names = unexpected.prefix(10).map { printable($0) }.joined(separator: ", ")
      observer(
        .warning(
          "\(path): \(unexpected.count) tensors are not part of the model and stay unused: \(names)"
            + (unexpected.count > 10 ? ", …" : "")))
    }
    return model
  }
}
