import Autoencoders
import Compute
import Tensors

/// From the autoencoder's posteriors to latents as the transformer takes them, alike for generation and training.
struct CogVideoXLatents: Sendable {
  let autoencoder: CogVideoXAutoencoderConfig

  private var scale: Float { Float(autoencoder.scalingFactor) }

  /// A sample of a video's posterior: `[1, F, C, H, W]`.
  func video(_ posterior: LatentPosterior, noise: Tensor) -> Tensor { sample(posterior, noise, scale: scale) }

  /// A sample of a single frame's posterior, followed by zeros: `[1, F, C, H, W]`.
  func condition(_ posterior: LatentPosterior, noise: Tensor, frames: Int) -> Tensor {
    // Single frames are left unscaled where the published flag says that their scale is inverted.
    let first = sample(posterior, noise, scale: autoencoder.invertsScaleOfLatents ? 1 : scale)
    guard frames > 1 else { return first }
    var padding = first.shape.extents
    padding[1] = frames - 1
    return .concatenated([first, .zeros(Shape(padding))], axis: 1)
  }

  private func sample(_ posterior: LatentPosterior, _ noise: Tensor, scale: Float) -> Tensor {
    posterior.sample(noise: noise).permuted(0, 2, 1, 3, 4).scaled(by: scale)
  }
}
