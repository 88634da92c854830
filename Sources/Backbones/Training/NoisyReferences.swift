import Tensors
import VideoTransformers

/// References that are noised and predicted too ("reference_independent" of the published training), alike for all
/// families.
struct NoisyReferences: Sendable {
  /// What the references' losses count together, beside the target's 1 (published).
  private static let share = 0.6

  /// From how many of the lowest noise levels a reference's is drawn.
  let levels: Int

  /// nil for a model that does not predict references, which are clean then.
  init?(levels: Int?, for configuration: some MixtureConfiguration) {
    guard configuration.predictsReferences else { return nil }
    self.levels = levels ?? 1
  }

  /// Where the noise level of a reference stands among all, the lowest being 0.
  func rank(_ reference: Int, _ draws: TrainingDraws) -> Int {
    levels - 1 - min(Int(draws.referenceLevel(reference) * Double(levels)), levels - 1)
  }

  /// Each reference with noise of its own.
  ///
  /// - Parameter add: noises the reference with an index.
  func noised(_ references: [Tensor], _ draws: TrainingDraws, _ add: (Int, Tensor, _ noise: Tensor) -> Tensor) throws
    -> (latents: [Tensor], noise: [Tensor])
  {
    let noise = try references.enumerated().map { try draws.noise.noise(for: .referenceNoise($0), shape: $1.shape) }
    return (references.enumerated().map { add($0, $1, noise[$0]) }, noise)
  }

  /// The target's loss and the references' together.
  ///
  /// - Parameters:
  ///   - predictions: of all references, joined along the axis of frames.
  ///   - loss: the loss of the reference with an index, from its prediction.
  func total(
    _ target: Tensor, predictions: Tensor, count: Int, frameAxis: Int, _ loss: (Int, _ prediction: Tensor) -> Tensor
  ) -> Tensor {
    let frames = predictions.shape[frameAxis] / count
    return (0..<count).reduce(target) { sum, index in
      let prediction = predictions.sliced(frameAxis, index * frames..<(index + 1) * frames).dense()
      return sum + loss(index, prediction).scaled(by: Float(Self.share / Double(count)))
    }
  }
}
