import Checkpoints
import Compute
import Layers
import Tensors

/// The causal 3-D autoencoder of CogVideoX (Yang et al., "CogVideoX", 2024), as published with the model's weights.
///
/// Group norms see one chunk of frames at a time, so the cut in time is part of the model.
package struct CogVideoXAutoencoder: VideoAutoencoder {
  /// Frames of a chunk when encoding, and latent frames of a chunk when decoding (published implementation).
  private static let frameBatch = 8
  private static let latentFrameBatch = 2

  package let config: CogVideoXAutoencoderConfig
  private let encoder: CogVideoXEncoder
  private let decoder: CogVideoXDecoder
  private let momentsConv: PointwiseConv3D?
  private let latentsConv: PointwiseConv3D?

  /// - Parameter config: validated.
  package init(_ scope: ParameterScope, _ config: CogVideoXAutoencoderConfig) {
    self.config = config
    encoder = CogVideoXEncoder(scope("encoder"), config)
    decoder = CogVideoXDecoder(scope("decoder"), config)
    let channels = config.latentChannels
    momentsConv =
      config.usesQuantConv ? PointwiseConv3D(scope("quant_conv"), inputs: 2 * channels, outputs: 2 * channels) : nil
    latentsConv =
      config.usesPostQuantConv ? PointwiseConv3D(scope("post_quant_conv"), inputs: channels, outputs: channels) : nil
  }

  /// Loads a component's directory: `config.json` and weights.
  package init(directory: String) throws {
    let config = try ConfigFile.decode(CogVideoXAutoencoderConfig.self, at: "\(directory)/config.json")
    let loader = ParameterLoader(try WeightStore(directory: directory))
    self.init(loader.root, config)
    try loader.finish()
  }
}

// MARK: - Chunks

extension CogVideoXAutoencoder {
  package var inputChannels: Int { config.inputChannels }
  package var latentChannels: Int { config.latentChannels }
  package var spatialRatio: Int { config.spatialRatio }
  package var outputRange: ClosedRange<Float>? { nil }

  package func encodedChunks(frames: Int) -> [Range<Int>] {
    FrameBatches(frames: frames, size: Self.frameBatch).ranges
  }

  package func decodedChunks(latentFrames: Int) -> [Range<Int>] {
    FrameBatches(frames: latentFrames, size: Self.latentFrameBatch).ranges
  }

  package func encode(chunk: Tensor, _ cache: inout TemporalCache, _ context: RunContext) throws -> Tensor {
    let moments = try encoder(chunk, &cache, context)
    return momentsConv?(moments) ?? moments
  }

  package func decode(chunk: Tensor, _ cache: inout TemporalCache, _ context: RunContext) throws -> Tensor {
    try decoder(latentsConv?(chunk) ?? chunk, &cache, context)
  }

  /// Number of latent frames of a clip.
  package func latentFrameCount(frames: Int) -> Int {
    encodedChunks(frames: frames).reduce(0) { sum, range in
      sum + (0..<config.temporalLevels).reduce(range.count) { count, _ in (count + 1) / 2 }
    }
  }

  /// Number of frames that a number of latent frames decodes to: with a ratio of 4, odd numbers n give 4 n - 3 frames,
  /// even ones 4 n.
  package func frameCount(latentFrames: Int) -> Int {
    decodedChunks(latentFrames: latentFrames).reduce(0) { sum, range in
      sum + (0..<config.temporalLevels).reduce(range.count) { count, _ in 2 * count - count % 2 }
    }
  }
}
