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
  package let directory: String
  package let scheduler: SchedulerConfiguration
  package let transformer: CogVideoXConfiguration
  package var autoencoder: CogVideoXAutoencoderConfig
  package let textEncoder: T5EncoderConfiguration
  package let additions: TransformerAdditions

  /// Pixels to a latent in each spatial direction.
  private var spatialRatio: Int { autoencoder.spatialRatio }
  private var temporalRatio: Int { autoencoder.temporalRatio }

  /// Reads the configurations of all components; weights are opened stage by stage.
  package init(directory: String, additions: TransformerAdditions = TransformerAdditions()) throws {
    self.directory = directory
    self.additions = additions
    scheduler = try Self.readScheduler(directory: directory, samplesFlows: false)
    transformer = try additions.applied(
      to: ConfigFile.decode(
        CogVideoXConfiguration.self, at: additions.configurationFolder(directory) + "/config.json"))
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
    try check(
      geometry, multiple: spatialRatio * transformer.patchSize, temporalRatio: temporalRatio,
      referenceCount: referenceCount)
    let (height, width) = (transformer.sampleHeight * spatialRatio, transformer.sampleWidth * spatialRatio)
    if transformer.usesLearnedEmbeddings, geometry.height != height || geometry.width != width {
      throw .fixedSize(geometry, height: height, width: width)
    }
  }

  package var naturalGeometry: ClipGeometry {
    ClipGeometry(
      height: transformer.sampleHeight * spatialRatio, width: transformer.sampleWidth * spatialRatio,
      frames: transformer.sampleFrames)
  }

  package var naturalGuidance: Double { 6 }
  package var readsPictures: Bool { false }

  /// `[1, F, C, H, W]` in latent frames and sizes.
  package func latentShape(_ geometry: ClipGeometry) -> Shape {
    [
      1, (geometry.frames - 1) / temporalRatio + 1, autoencoder.latentChannels, geometry.height / spatialRatio,
      geometry.width / spatialRatio,
    ]
  }

  package func makeDenoiser(in scope: ParameterScope) -> CogVideoXDenoiser {
    CogVideoXDenoiser(CogVideoXTransformer(scope, transformer))
  }

  package func decode(
    _ latents: Tensor, _ options: BackboneOptions, observer: @escaping RunObserver, frames: (Tensor) throws -> Void
  ) throws {
    let decoder = try loadAutoencoder(observer: observer)
    let scaled = latents.permuted(0, 2, 1, 3, 4).scaled(by: 1 / Float(autoencoder.scalingFactor))
    try decode(scaled, by: decoder, tiling: tiling(options), options, observer: observer, frames)
  }

  // MARK: Components

  func loadAutoencoder(observer: @escaping RunObserver) throws -> CogVideoXAutoencoder {
    try load("vae", observer: observer) { CogVideoXAutoencoder($0, autoencoder) }
  }

  func loadTokenizer() throws -> T5Tokenizer { try T5Tokenizer(directory: "\(directory)/tokenizer") }

  func tiling(_ options: BackboneOptions) -> SpatialTiling? {
    options.usesTiles ? autoencoder.defaultTiling : nil
  }
}
