import Compute
import Layers
import Tensors

/// Attention of a stream's tokens to a caption and, with weights of its own for keys and values, to an image; both
/// results are added. Padding of the caption is attended to, as published.
struct WanCrossAttention: Sendable {
  private let headCount: Int
  private let queries: Linear
  private let queryNorm: RMSNorm
  private let text: Source
  private let image: Source
  private let output: Linear

  /// Keys and values of one kind of context.
  private struct Source: Sendable {
    let keys: Linear
    let keyNorm: RMSNorm
    let values: Linear

    func callAsFunction(_ context: Tensor, _ headCount: Int) -> KeyValues {
      KeyValues(
        keys: keyNorm(keys(context)).splitIntoHeads(headCount), values: values(context).splitIntoHeads(headCount))
    }
  }

  /// Keys: `to_q`, `to_k`, `to_v`, `add_k_proj`, `add_v_proj`, `to_out.0` `[D, D]`; `norm_q`, `norm_k`, `norm_added_k`
  /// `[D]`.
  init(_ scope: ParameterScope, _ configuration: WanConfiguration) {
    let (width, epsilon) = (configuration.hiddenSize, Float(configuration.normEpsilon))
    func linear(_ scope: ParameterScope) -> Linear { Linear(scope, inputs: width, outputs: width) }
    func norm(_ name: String) -> RMSNorm { RMSNorm(scope(name), width: width, epsilon: epsilon) }
    headCount = configuration.headCount
    queries = linear(scope("to_q"))
    queryNorm = norm("norm_q")
    text = Source(keys: linear(scope("to_k")), keyNorm: norm("norm_k"), values: linear(scope("to_v")))
    image = Source(
      keys: linear(scope("add_k_proj")), keyNorm: norm("norm_added_k"), values: linear(scope("add_v_proj")))
    output = linear(scope("to_out")(0))
  }

  /// `[B, N, D]` to `[B, N, D]`; the tokens of each part attend to that part's caption and image only.
  func callAsFunction(_ stream: Tensor, _ parts: [WanConditioning.Part]) -> Tensor {
    let queries = queryNorm(self.queries(stream)).splitIntoHeads(headCount)  // [B, A, N, K]
    let attended = parts.map { part in
      let own = queries.sliced(2, part.tokens).dense()
      return own.attending(to: [text(part.text, headCount)]) + own.attending(to: [image(part.image, headCount)])
    }
    return output(.concatenated(attended, axis: 1))
  }
}
