import Compute
import Tensors

/// The random numbers of one training sample.
package struct TrainingDraws: Sendable {
  /// Uniform in 0..<1: where the sample lies among the noise levels.
  package let level: Double
  /// Noise for the target (`initialLatents`) and for sampling posteriors.
  package let noise: any NoiseSource

  /// As `level`, for each reference of a model that noises them.
  package let referenceLevel: @Sendable (Int) -> Double

  package init(
    level: Double, noise: any NoiseSource, referenceLevel: @escaping @Sendable (Int) -> Double = { _ in 0 }
  ) {
    self.level = level
    self.noise = noise
    self.referenceLevel = referenceLevel
  }

  /// The draws of the sample with this index: a pure function, so that a run can be taken up at any sample and ranks need
  /// to agree on nothing but the indices.
  package init(seed: UInt64, sample index: Int) {
    // A seed of its own for each sample; its noise then has streams by purpose, as in generation.
    let words = RandomGenerator.block(UInt64(index), stream: Self.stream, seed: seed)
    let own = UInt64(words[0]) << 32 | UInt64(words[1])
    level = Double((UInt64(words[2]) << 32 | UInt64(words[3])) >> 11) * 0x1p-53
    noise = SeededNoise(seed: own)
    referenceLevel = { index in
      var generator = RandomGenerator(seed: own, name: "level of reference \(index)")
      return generator.drawUniform()
    }
  }

  /// Apart from all streams that generation draws from.
  private static let stream: UInt64 = 5 << 48

  /// For the second video of a pair that shares its references: the same levels and the same references, noise of its own.
  package var ofOtherVideo: TrainingDraws {
    TrainingDraws(level: level, noise: OtherVideoNoise(noise), referenceLevel: referenceLevel)
  }
}

/// Noise of which the share of the target is another one.
private struct OtherVideoNoise: NoiseSource {
  private let noise: any NoiseSource

  init(_ noise: any NoiseSource) { self.noise = noise }

  func noise(for purpose: NoisePurpose, shape: Shape) throws -> Tensor {
    try noise.noise(for: purpose.isOfReference ? purpose : .otherVideo(purpose), shape: shape)
  }
}
