import Autoencoders
import Compute
import Tensors

/// From the autoencoder's posteriors to latents as the transformer takes them, alike for generation and training.
struct WanLatents: Sendable {
  let autoencoder: WanAutoencoderConfig

  /// What precedes a condition: the frame whose posterior the condition's mean is of, followed by grey ones. Zeros of
  /// pixels, not of latents.
  ///
  /// - Parameter frame: `[1, 3, 1, H, W]`.
  /// - Returns: `[1, 3, frames, H, W]`.
  static func conditionVideo(_ frame: Tensor, frames: Int) -> Tensor {
    guard frames > 1 else { return frame }
    let grey = Tensor.zeros([1, frame.shape[1], frames - 1, frame.shape[3], frame.shape[4]])
    return .concatenated([frame, grey], axis: 2)
  }

  /// The normalised mean of a video's posterior, of which nothing is drawn: `[1, C, F, H, W]`.
  func video(mean: Tensor) -> Tensor { autoencoder.normalized(mean) }

  /// A sample of a video's posterior, normalised: `[1, C, F, H, W]`.
  ///
  /// - Parameters:
  ///   - moments: means, then logarithms of variances, `[1, 2 C, F, H, W]`.
  ///   - normalizesVariances: whether the logarithms of the variances are taken for means when they are normalised, as
  ///     in published training: (v - mean) / deviation.
  func video(moments: Tensor, noise: Tensor, normalizesVariances: Bool) -> Tensor {
    guard normalizesVariances else {
      return autoencoder.normalized(LatentPosterior(moments: moments).sample(noise: noise))
    }
    let channels = moments.shape[1] / 2
    let halves = [moments.sliced(1, 0..<channels), moments.sliced(1, channels..<2 * channels)]
    return LatentPosterior(moments: .concatenated(halves.map(autoencoder.normalized), axis: 1)).sample(noise: noise)
  }

  /// Mask and normalised mean of a condition's posterior: `[1, mask + C, F, H, W]`.
  func condition(mean: Tensor) -> Tensor { .concatenated([mask(mean.shape), autoencoder.normalized(mean)], axis: 1) }

  /// One where a latent frame shows given pixels, in a channel for each of its frames: all of the first latent frame.
  private func mask(_ latents: Shape) -> Tensor {
    let (channels, frames, area) = (autoencoder.temporalRatio, latents[2], latents[3] * latents[4])
    return Tensor([1, channels, frames, latents[3], latents[4]]) { output in
      output.update(repeating: 0, count: channels * frames * area)
      for channel in 0..<channels { (output + channel * frames * area).update(repeating: 1, count: area) }
    }
  }
}
