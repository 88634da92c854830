import Compute
import Layers
import Tensors

/// A transformer layer with normalisation before attention and before the feed-forward part, without biases in the
/// projections.
struct T5Block: Sendable {
  private let attentionNorm: RMSNorm
  private let attention: T5Attention
  private let feedForwardNorm: RMSNorm
  private let feedForward: T5FeedForward

  /// Keys below `layer.0` (attention) and `layer.1` (feed-forward).
  init(_ scope: ParameterScope, _ configuration: T5EncoderConfiguration, ownsPositionBias: Bool) {
    let (first, second) = (scope("layer")(0), scope("layer")(1))
    let (width, epsilon) = (configuration.hiddenSize, Float(configuration.epsilon))
    attentionNorm = RMSNorm(first("layer_norm"), width: width, epsilon: epsilon)
    attention = T5Attention(first("SelfAttention"), configuration, ownsPositionBias: ownsPositionBias)
    feedForwardNorm = RMSNorm(second("layer_norm"), width: width, epsilon: epsilon)
    feedForward = T5FeedForward(second("DenseReluDense"), configuration)
  }

  /// The bias of this layer's scores, `[A, N, N]`; nil if the layer uses an earlier layer's.
  func positionBias(tokens: Int) -> Tensor? { attention.positionBias?(tokens: tokens) }

  /// `[B, N, D]` to `[B, N, D]`.
  func callAsFunction(_ hidden: Tensor, positionBias: Tensor, keyCounts: [Int]?) -> Tensor {
    let attended = hidden + attention(attentionNorm(hidden), positionBias: positionBias, keyCounts: keyCounts)
    return attended + feedForward(feedForwardNorm(attended))
  }
}

/// Self-attention over all tokens; scores are not scaled by the head size, the position bias is added.
struct T5Attention: Sendable {
  private let queries: Linear
  private let keys: Linear
  private let values: Linear
  private let output: Linear
  private let headCount: Int
  let positionBias: RelativePositionBias?

  /// Keys: `q`, `k`, `v` `[A K, D]`, `o` `[D, A K]`, and `relative_attention_bias` in layers that own one.
  init(_ scope: ParameterScope, _ configuration: T5EncoderConfiguration, ownsPositionBias: Bool) {
    let (width, inner) = (configuration.hiddenSize, configuration.headCount * configuration.headSize)
    queries = Linear(scope("q"), inputs: width, outputs: inner, usesBias: false)
    keys = Linear(scope("k"), inputs: width, outputs: inner, usesBias: false)
    values = Linear(scope("v"), inputs: width, outputs: inner, usesBias: false)
    output = Linear(scope("o"), inputs: inner, outputs: width, usesBias: false)
    headCount = configuration.headCount
    positionBias = ownsPositionBias ? RelativePositionBias(scope("relative_attention_bias"), configuration) : nil
  }

  /// `[B, N, D]` to `[B, N, D]`.
  ///
  /// - Parameter keyCounts: how many leading tokens of each sample are attended to; all if nil.
  func callAsFunction(_ hidden: Tensor, positionBias: Tensor, keyCounts: [Int]?) -> Tensor {
    let queries = self.queries(hidden).splitIntoHeads(headCount)  // [B, A, N, K]
    let streams = KeyValues(
      keys: keys(hidden).splitIntoHeads(headCount), values: values(hidden).splitIntoHeads(headCount))
    guard let keyCounts else { return output(queries.attending(to: [streams], scale: 1, bias: positionBias)) }
    let attended = keyCounts.enumerated().map { sample, count in
      func visible(_ tensor: Tensor) -> Tensor { tensor.sliced(0, sample..<sample + 1).sliced(2, 0..<count) }
      return queries.sliced(0, sample..<sample + 1).attending(
        to: [KeyValues(keys: visible(streams.keys), values: visible(streams.values))], scale: 1,
        bias: positionBias.sliced(2, 0..<count))
    }
    return output(.concatenated(attended, axis: 0))
  }
}

/// The feed-forward part: plain, or gated by a second projection.
struct T5FeedForward: Sendable {
  private enum Input: Sendable {
    case relu(Linear)
    case gatedGELU(gate: Linear, value: Linear)
  }

  private let input: Input
  private let output: Linear

  /// Keys: `wi` `[F, D]`, or `wi_0` (gate) and `wi_1`; `wo` `[D, F]`.
  init(_ scope: ParameterScope, _ configuration: T5EncoderConfiguration) {
    let (width, hidden) = (configuration.hiddenSize, configuration.feedForwardSize)
    func projection(_ name: String) -> Linear { Linear(scope(name), inputs: width, outputs: hidden, usesBias: false) }
    input =
      switch configuration.feedForwardKind {
      case .relu: .relu(projection("wi"))
      case .gatedGELU: .gatedGELU(gate: projection("wi_0"), value: projection("wi_1"))
      }
    output = Linear(scope("wo"), inputs: hidden, outputs: width, usesBias: false)
  }

  /// `[B, N, D]` to `[B, N, D]`.
  func callAsFunction(_ hidden: Tensor) -> Tensor {
    switch input {
    case .relu(let projection): output(projection(hidden, .relu))
    case .gatedGELU(let gate, let value): output(gate(hidden, .geluTanh) * value(hidden))
    }
  }
}
