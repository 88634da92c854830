import Compute
import Layers
import Tensors

/// From the last block's video tokens to the pixels of patches; the expert has one of its own where references are
/// predicted too.
struct CogVideoXHead: Sendable {
  private let finalNorm: LayerNorm
  private let modulation: Linear
  private let norm: LayerNorm
  private let output: Linear

  /// Keys: `norm_final{suffix}` `[D]`, `norm_out{suffix}.linear` `[2 D, time size]`, `norm_out{suffix}.norm` `[D]`,
  /// `proj_out{suffix}` `[C p p, D]`.
  init(_ scope: ParameterScope, suffix: String, _ configuration: CogVideoXConfiguration) {
    let (width, epsilon) = (configuration.hiddenSize, Float(configuration.normEpsilon))
    func norm(_ scope: ParameterScope) -> LayerNorm {
      LayerNorm(scope, width: width, epsilon: epsilon, isAffine: configuration.isNormAffine)
    }
    finalNorm = norm(scope("norm_final\(suffix)"))
    let outputNorm = scope("norm_out\(suffix)")
    modulation = Linear(
      outputNorm("linear"), inputs: configuration.timeEmbeddingSize, outputs: 2 * width, initially: .zeros)
    self.norm = norm(outputNorm("norm"))
    output = Linear(
      scope("proj_out\(suffix)"), inputs: width,
      outputs: configuration.outChannels * configuration.patchSize * configuration.patchSize, initially: .zeros)
  }

  /// `[B, N, D]` to `[B, N, C p p]`, channel outermost.
  func callAsFunction(_ video: Tensor, _ timeEmbeddings: [Tensor]) -> Tensor {
    let (width, length) = (video.shape[2], video.shape[1] / timeEmbeddings.count)
    let modulations = timeEmbeddings.enumerated().map { index, time in
      let rows = modulation(time)  // [B, 2 D]: shift, then scale
      return Modulation(
        tokens: index * length..<(index + 1) * length, scale: rows.sliced(1, width..<2 * width),
        shift: rows.sliced(1, 0..<width))
    }
    return output(norm(finalNorm(video), modulations))
  }
}
