import Compute
import Tensors

/// What a tensor of Gaussian noise is for. A seeded source draws each purpose from a stream of its own, so the order of
/// draws does not matter and a run can be taken up at any step.
package enum NoisePurpose: Sendable, Hashable {
  /// Sampling the image condition from the autoencoder's posterior.
  case image
  /// Sampling the target of a training step from the autoencoder's posterior.
  case target
  /// The latents that denoising starts from.
  case initialLatents
  /// Sampling the reference with this index.
  case reference(Int)
  /// Noise for the reference with this index, where references are trained on too.
  case referenceNoise(Int)
  /// Sampling the first frame of the reference with this index.
  case referenceFirstFrame(Int)
  /// The scheduler's draw with this index at a step.
  case sampling(step: Int, draw: Int)
  /// As the other purpose, for the second video of a pair.
  indirect case otherVideo(NoisePurpose)

  /// Whether the noise is for a reference.
  package var isOfReference: Bool {
    switch self {
    case .reference, .referenceNoise, .referenceFirstFrame: true
    case .image, .target, .initialLatents, .sampling: false
    case .otherVideo(let purpose): purpose.isOfReference
    }
  }

  /// The purposes' places among the streams of one seed.
  fileprivate var stream: UInt64 {
    switch self {
    case .image: 0
    case .initialLatents: 1
    case .target: 2
    case .reference(let index): 1 << 16 + UInt64(index)
    case .referenceFirstFrame(let index): 2 << 16 + UInt64(index)
    case .referenceNoise(let index): 4 << 16 + UInt64(index)
    case .sampling(let step, let draw): 3 << 32 + UInt64(step) << 8 + UInt64(draw)
    case .otherVideo(let purpose): 1 << 52 | purpose.stream
    }
  }
}

/// Where Gaussian noise comes from: a seed, or recorded draws.
package protocol NoiseSource: Sendable {
  func noise(for purpose: NoisePurpose, shape: Shape) throws -> Tensor
}

/// Noise from a seed (see `RandomGenerator` for the algorithm).
package struct SeededNoise: NoiseSource {
  package let seed: UInt64

  package init(seed: UInt64) { self.seed = seed }

  package func noise(for purpose: NoisePurpose, shape: Shape) -> Tensor {
    var generator = RandomGenerator(seed: seed, nextStream: purpose.stream)
    return .normal(shape, from: &generator)
  }
}
