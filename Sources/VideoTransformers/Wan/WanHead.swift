import Compute
import Layers
import Tensors

/// From the last block's tokens to the latents of patches; the expert has one of its own where references are predicted
/// too.
struct WanHead: Sendable {
  private let table: Parameter
  private let norm: LayerNorm
  private let output: Linear

  /// Keys: `scale_shift_table{suffix}` `[1, 2, D]`, `proj_out{suffix}` `[rows columns C, D]`.
  init(_ scope: ParameterScope, suffix: String, _ configuration: WanConfiguration) {
    let width = configuration.hiddenSize
    table = scope.parameter(
      "scale_shift_table\(suffix)", [1, 2, width], initially: .normal(deviation: 1 / Float(width).squareRoot()))
    norm = LayerNorm(
      scope("norm_out\(suffix)"), width: width, epsilon: Float(configuration.normEpsilon), isAffine: false)
    output = Linear(
      scope("proj_out\(suffix)"), inputs: width,
      outputs: configuration.outChannels * configuration.patchSize.reduce(1, *))
  }

  /// `[B, N, D]` to `[B, N, rows columns C]`, channel innermost.
  ///
  /// - Parameter times: the embedded timesteps of the stream's clips, not what blocks are modulated by: `[B, D]` each.
  func callAsFunction(_ stream: Tensor, _ times: [Tensor]) -> Tensor {
    let (batch, width, length) = (stream.shape[0], stream.shape[2], stream.shape[1] / times.count)
    let modulations = times.enumerated().map { index, time in
      let rows = Tensor.concatenated([time, time], axis: 1).reshaped([batch, 2, width])
        .addingRows(table.tensor[0]).reshaped([batch, 2 * width])  // shift, then scale
      return Modulation(
        tokens: index * length..<(index + 1) * length, scale: rows.sliced(1, width..<2 * width),
        shift: rows.sliced(1, 0..<width))
    }
    return output(norm(stream, modulations))
  }
}
