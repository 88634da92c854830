import Autoencoders
import Checkpoints
import Compute
import Layers
import Runtime
import Tensors

/// A CogVideoX autoencoder with the objective of learning to rebuild clips: absolute differences of pixels, half as much of
/// their horizontal and vertical differences, and a little divergence of its latents from a standard normal distribution.
///
/// A sample's tensor "pixels" is a clip `[1, 3, F, H, W]` with values in -1...1; it has no references.
package struct CogVideoXAutoencoderTraining: TrainingModel {
  package let parameters: [Parameter]
  package let autoencoder: CogVideoXAutoencoder

  /// What differences of neighbours count.
  private static let gradientShare: Float = 0.5
  /// What the divergence counts: enough to keep latents bounded.
  private static let divergenceShare: Float = 1e-5

  /// - Parameters:
  ///   - weights: of the autoencoder, or a source of fresh values.
  ///   - isTrained: nothing of it for an autoencoder that is only looked at.
  package init(_ weights: any ParameterSource, _ config: CogVideoXAutoencoderConfig, isTrained: Bool = true) throws {
    let loader = ParameterLoader(weights, training: { _ in isTrained })
    autoencoder = CogVideoXAutoencoder(loader.root, config)
    try loader.finish()
    parameters = loader.parameters
  }

  package func loss(
    target: EncodedClip, references: [EncodedClip], draws: TrainingDraws, context: RunContext
  ) throws -> Tensor {
    guard let pixels = target.tensors["pixels"] else { throw TrainingSampleFailure.missingTensor("pixels") }
    let posterior = try autoencoder.encode(pixels, context: context)
    let noise = try draws.noise.noise(for: .target, shape: posterior.mean.shape)
    let rebuilt = try autoencoder.decode(posterior.sample(noise: noise), context: context)
    guard rebuilt.shape == pixels.shape else {
      throw TrainingSampleFailure.shape("pixels", found: pixels.shape, expected: rebuilt.shape)
    }
    let error = rebuilt - pixels
    let gradients = Self.differences(error, axis: 3).meanMagnitude() + Self.differences(error, axis: 4).meanMagnitude()
    return error.meanMagnitude() + gradients.scaled(by: Self.gradientShare)
      + Self.divergence(posterior).scaled(by: Self.divergenceShare)
  }

  /// Each place minus the one before it on an axis.
  private static func differences(_ tensor: Tensor, axis: Int) -> Tensor {
    let length = tensor.shape[axis]
    return tensor.sliced(axis, 1..<length) - tensor.sliced(axis, 0..<length - 1)
  }

  /// Of the posterior from a standard normal distribution, a mean over latent values: (m^2 + v - 1 - log v) / 2.
  private static func divergence(_ posterior: LatentPosterior) -> Tensor {
    let terms =
      posterior.mean * posterior.mean + posterior.logVariance.exponential()
      - posterior.logVariance.scaled(by: 1, adding: 1)
    return terms.sum().scaled(by: 0.5 / Float(terms.count))
  }
}

extension Tensor {
  fileprivate func meanMagnitude() -> Tensor { magnitudes().sum().scaled(by: 1 / Float(count)) }
}
