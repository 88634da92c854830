import Compute
import Layers
import Tensors

extension ResidualDesign {
  /// The blocks of the CogVideoX autoencoder.
  init(_ config: CogVideoXAutoencoderConfig, norm: @escaping (ParameterScope, Int) -> Norm) {
    self.init(
      activation: config.activation.function, norm: norm,
      convolution: { CausalConv3D($0("conv"), inputs: $1, outputs: $2, padding: .firstFrame) })
  }
}

/// The encoder's norm.
struct PlainNorm: ChunkNorm {
  private let norm: GroupNorm

  init(_ scope: ParameterScope, channels: Int, groups: Int, epsilon: Double) {
    norm = GroupNorm(scope, channels: channels, groups: groups, epsilon: epsilon)
  }

  func transform(of chunk: Tensor, given: Void = (), _ activation: Activation) -> PixelTransform {
    PixelTransform(norm.map(for: chunk), activation: activation)
  }
}

/// The decoder's norm: the normalised chunk times a map of the latents plus another (Zheng et al., "MoVQ", 2022).
struct SpatialNorm: ChunkNorm {
  // Fixed in the published model, whatever the configuration says of the other norms.
  private static let epsilon = 1e-6

  private let norm: GroupNorm
  private let factor: PointwiseConv3D
  private let addend: PointwiseConv3D

  init(_ scope: ParameterScope, channels: Int, latentChannels: Int, groups: Int) {
    norm = GroupNorm(scope("norm_layer"), channels: channels, groups: groups, epsilon: Self.epsilon)
    factor = PointwiseConv3D(scope("conv_y")("conv"), inputs: latentChannels, outputs: channels)
    addend = PointwiseConv3D(scope("conv_b")("conv"), inputs: latentChannels, outputs: channels)
  }

  /// - Parameter latents: the chunk's, `[f, h, w, L]`.
  func transform(of chunk: Tensor, given latents: Tensor, _ activation: Activation) -> PixelTransform {
    // Nearest upsampling and convolution with one tap commute: both maps are computed at the latents' resolution.
    PixelTransform(
      norm.map(for: chunk),
      modulation: PixelModulation(
        factors: factor(latents), addends: addend(latents),
        frames: Self.latentFrames(for: chunk.shape[0], among: latents.shape[0])),
      activation: activation)
  }

  /// The latent frame of each frame: the nearest, but the first frame of an odd number stands alone.
  static func latentFrames(for frames: Int, among latentFrames: Int) -> [Int] {
    guard frames > 1, frames % 2 == 1, latentFrames > 1 else { return nearestIndices(from: latentFrames, to: frames) }
    return [0] + nearestIndices(from: latentFrames - 1, to: frames - 1).map { $0 + 1 }
  }
}
