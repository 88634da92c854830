import Checkpoints
import Layers
import Tensors

/// The causal 3-D autoencoder of Wan 2.1 ("Wan: Open and Advanced Large-Scale Video Generative Models", 2025), as
/// published with the model's weights.
///
/// The first frame is a chunk by itself and has a latent frame of its own; later ones come four to a latent frame.
package struct WanAutoencoder: VideoAutoencoder {
  /// Frames of a chunk when encoding (published implementation).
  static let frameBatch = 4

  package let config: WanAutoencoderConfig
  private let encoder: WanEncoder
  private let decoder: WanDecoder
  private let momentsConv: PointwiseConv3D
  private let latentsConv: PointwiseConv3D

  /// - Parameter config: validated.
  package init(_ scope: ParameterScope, _ config: WanAutoencoderConfig) {
    self.config = config
    let channels = config.latentChannels
    encoder = WanEncoder(scope("encoder"), config)
    decoder = WanDecoder(scope("decoder"), config)
    momentsConv = PointwiseConv3D(scope("quant_conv"), inputs: 2 * channels, outputs: 2 * channels)
    latentsConv = PointwiseConv3D(scope("post_quant_conv"), inputs: channels, outputs: channels)
  }

  /// Loads a component's directory: `config.json` and weights.
  package init(directory: String) throws {
    let config = try ConfigFile.decode(WanAutoencoderConfig.self, at: "\(directory)/config.json")
    let loader = ParameterLoader(try WeightStore(directory: directory))
    self.init(loader.root, config)
    try loader.finish()
  }
}

// MARK: - Chunks

extension WanAutoencoder {
  package var inputChannels: Int { 3 }
  package var latentChannels: Int { config.latentChannels }
  package var spatialRatio: Int { config.spatialRatio }
  package var outputRange: ClosedRange<Float>? { -1...1 }

  package func encodedChunks(frames: Int) -> [Range<Int>] {
    [0..<1]
      + stride(from: 1, through: frames - Self.frameBatch, by: Self.frameBatch).map { $0..<$0 + Self.frameBatch }
  }

  package func decodedChunks(latentFrames: Int) -> [Range<Int>] { (0..<latentFrames).map { $0..<$0 + 1 } }

  package func encode(chunk: Tensor, _ cache: inout TemporalCache, _ context: RunContext) throws -> Tensor {
    momentsConv(try encoder(chunk, &cache, context.scoped("encoder")))
  }

  package func decode(chunk: Tensor, _ cache: inout TemporalCache, _ context: RunContext) throws -> Tensor {
    try decoder(latentsConv(chunk), &cache, context.scoped("decoder"))
  }
}
