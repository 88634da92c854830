import Tensors

/// The normal distribution of latents that an encoder gives for a clip; `[B, C, F, h, w]` each.
package struct LatentPosterior: Sendable {
  package let mean: Tensor
  /// Logarithm of the variance, within -30...20.
  package let logVariance: Tensor

  /// - Parameter moments: `[B, 2 C, F, h, w]`: means, then logarithms of variances.
  package init(moments: Tensor) {
    let channels = moments.shape[1] / 2
    mean = moments.sliced(1, 0..<channels).dense()
    logVariance = moments.sliced(1, channels..<2 * channels).clamped(to: -30...20)
  }

  /// `[B, 2 C, F, h, w]`: means, then logarithms of variances, from which this distribution can be made again.
  package var moments: Tensor { .concatenated([mean, logVariance], axis: 1) }

  /// mean + standard deviation x noise, for standard normal `noise` of the mean's shape.
  package func sample(noise: Tensor) -> Tensor {
    mean + logVariance.scaled(by: 0.5).exponential() * noise
  }
}
