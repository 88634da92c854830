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

/// A Wan 2.1 image-to-video pipeline directory, with or without a Video-As-Prompt expert.
///
/// The published code reads one reference; here up to three are read, as with CogVideoX: each with its own caption and
/// picture, one after the other before the target in time.
package struct WanBackbone: VideoPromptBackbone {
  package let directory: String
  package let scheduler: SchedulerConfiguration
  package let transformer: WanConfiguration
  package let autoencoder: WanAutoencoderConfig
  package let textEncoder: T5EncoderConfiguration
  package let imageEncoder: CLIPVisionConfiguration
  package let imageProcessor: CLIPImageConfiguration
  package let additions: TransformerAdditions
  /// How clips are noised when the model is trained; the checkpoint names no such thing.
  package var noising = FlowNoising()

  /// Reads the configurations of all components; weights are opened stage by stage.
  package init(directory: String, additions: TransformerAdditions = TransformerAdditions()) throws {
    self.directory = directory
    self.additions = additions
    scheduler = try Self.readScheduler(directory: directory, samplesFlows: true)
    transformer = try additions.applied(
      to: ConfigFile.decode(WanConfiguration.self, at: additions.configurationFolder(directory) + "/config.json"))
    autoencoder = try ConfigFile.decode(WanAutoencoderConfig.self, at: "\(directory)/vae/config.json")
    textEncoder = try ConfigFile.decode(T5EncoderConfiguration.self, at: "\(directory)/text_encoder/config.json")
    imageEncoder = try ConfigFile.decode(CLIPVisionConfiguration.self, at: "\(directory)/image_encoder/config.json")
    imageProcessor = try ConfigFile.decode(
      CLIPImageConfiguration.self, at: "\(directory)/image_processor/preprocessor_config.json")
    try checkComponentsAgree()
  }

  private func checkComponentsAgree() throws(BackboneFailure) {
    let path = "\(directory)/transformer/config.json"
    func require(_ field: String, _ value: Int, _ expected: Int, _ what: String) throws(BackboneFailure) {
      guard value == expected else {
        throw .component(path: path, problem: "\(field) is \(value), but \(what) is \(expected)")
      }
    }
    try require("text_dim", transformer.textEmbeddingSize, textEncoder.hiddenSize, "the text encoder's d_model")
    try require(
      "image_dim", transformer.imageEmbeddingSize, imageEncoder.transformer.width, "the image encoder's hidden_size")
    let latents = autoencoder.latentChannels
    // Noisy latents, a mask with a channel for each frame of a latent frame, and the image condition side by side.
    try require(
      "in_channels", transformer.inChannels, 2 * latents + autoencoder.temporalRatio,
      "twice the autoencoder's z_dim and \(autoencoder.temporalRatio) channels of mask")
    try require("out_channels", transformer.outChannels, latents, "the autoencoder's z_dim")
    guard imageProcessor.cropHeight == imageEncoder.imageSize, imageProcessor.cropWidth == imageEncoder.imageSize else {
      throw .component(
        path: "\(directory)/image_processor/preprocessor_config.json",
        problem: "crop_size is not the image encoder's image_size, \(imageEncoder.imageSize)")
    }
  }

  package func check(_ geometry: ClipGeometry, referenceCount: Int) throws(BackboneFailure) {
    // Published pipelines ask for one multiple on both sides.
    let patch = max(transformer.patchSize[1], transformer.patchSize[2])
    try check(
      geometry, multiple: autoencoder.spatialRatio * patch, temporalRatio: autoencoder.temporalRatio,
      referenceCount: referenceCount)
    let latents = latentShape(geometry)
    let positions = [latents[2], latents[3] / transformer.patchSize[1], latents[4] / transformer.patchSize[2]]
    guard positions.allSatisfy({ $0 <= transformer.positionLimit }) else {
      throw .positions(geometry, limit: transformer.positionLimit)
    }
  }

  /// What the published expert was trained and is shown on.
  package var naturalGeometry: ClipGeometry { ClipGeometry(height: 480, width: 832, frames: 49) }
  package var naturalGuidance: Double { 5 }
  package var readsPictures: Bool { true }

  /// `[1, C, F, H, W]` in latent frames and sizes.
  package func latentShape(_ geometry: ClipGeometry) -> Shape {
    [
      1, autoencoder.latentChannels, (geometry.frames - 1) / autoencoder.temporalRatio + 1,
      geometry.height / autoencoder.spatialRatio, geometry.width / autoencoder.spatialRatio,
    ]
  }

  package func makeDenoiser(in scope: ParameterScope) -> WanDenoiser { WanDenoiser(WanTransformer(scope, transformer)) }

  package func isUnusedKey(_ key: String) -> Bool { WanTransformer.isUnusedKey(key) }

  package func decode(
    _ latents: Tensor, _ options: BackboneOptions, observer: @escaping RunObserver, frames: (Tensor) throws -> Void
  ) throws {
    let decoder = try loadAutoencoder(observer: observer)
    try decode(
      autoencoder.denormalized(latents), by: decoder, tiling: tiling(options), options, observer: observer, frames)
  }

  // MARK: Components

  func loadAutoencoder(observer: @escaping RunObserver) throws -> WanAutoencoder {
    try load("vae", observer: observer) { WanAutoencoder($0, autoencoder) }
  }

  func loadTokenizer() throws -> UMT5Tokenizer { try UMT5Tokenizer(directory: "\(directory)/tokenizer") }

  func loadPictureEncoder(observer: @escaping RunObserver) throws -> WanPictureEncoder {
    let encoder = try load("image_encoder", observer: observer, ignoring: CLIPVisionEncoder.isUnusedKey) {
      CLIPVisionEncoder($0, imageEncoder)
    }
    return WanPictureEncoder(encoder, imageProcessor)
  }

  func tiling(_ options: BackboneOptions) -> SpatialTiling? {
    options.usesTiles ? autoencoder.defaultTiling : nil
  }
}
