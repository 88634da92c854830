import Compute
import Layers
import Tensors

/// What a Wan stream is processed under.
package struct WanConditioning: Sendable {
  /// The clips that the stream is made of, in order: the target, or the references.
  let parts: [Part]
  /// Rotation of all tokens.
  let rotary: RotaryTable

  package init(parts: [Part], rotary: RotaryTable) {
    self.parts = parts
    self.rotary = rotary
  }

  /// The same for another clip of one size, at positions of its own; its captions and pictures are not told apart.
  func onClip(of tokens: Int, rotary: RotaryTable) -> WanConditioning {
    WanConditioning(
      parts: parts.prefix(1).map {
        Part(tokens: 0..<tokens, modulation: $0.modulation, text: $0.text, image: $0.image)
      }, rotary: rotary)
  }

  /// One clip's share of a stream.
  package struct Part: Sendable {
    let tokens: Range<Int>
    /// Shift, scale and gate of self-attention, then of the feed-forward part: `[B, 6, D]`, before the block's table.
    let modulation: Tensor
    /// Caption and image, at the width of the model: `[B, T, D]` and `[B, I, D]`.
    let text: Tensor
    let image: Tensor

    package init(tokens: Range<Int>, modulation: Tensor, text: Tensor, image: Tensor) {
      self.tokens = tokens
      self.modulation = modulation
      self.text = text
      self.image = image
    }
  }
}

/// One branch of a Wan block: self-attention shared with the other branch, then cross-attention and feed-forward.
///
/// Base and expert are two of these, built from the same code with suffix "" and "_mot_ref".
package struct WanBranch: MixtureBranch {
  private let suffix: String
  private let headCount: Int
  private let table: Parameter
  private let attentionNorm: LayerNorm
  private let queries: Linear
  private let keys: Linear
  private let values: Linear
  private let queryNorm: RMSNorm
  private let keyNorm: RMSNorm
  private let output: Linear
  private let crossAttentionNorm: LayerNorm?
  private let crossAttention: WanCrossAttention
  private let feedForwardNorm: LayerNorm
  private let feedForward: FeedForward

  /// Keys: `scale_shift_table{suffix}` `[1, 6, D]`, `attn1{suffix}`, `attn2{suffix}`, `norm2{suffix}`, `ffn{suffix}` of
  /// the block's scope.
  package init(_ scope: ParameterScope, suffix: String, _ configuration: WanConfiguration) {
    let (width, epsilon) = (configuration.hiddenSize, Float(configuration.normEpsilon))
    self.suffix = suffix
    headCount = configuration.headCount
    table = scope.parameter(
      "scale_shift_table\(suffix)", [1, 6, width], initially: .normal(deviation: 1 / Float(width).squareRoot()))
    attentionNorm = LayerNorm(scope("norm1\(suffix)"), width: width, epsilon: epsilon, isAffine: false)
    let attention = scope("attn1\(suffix)")
    func projection(_ scope: ParameterScope) -> Linear { Linear(scope, inputs: width, outputs: width) }
    queries = projection(attention("to_q"))
    keys = projection(attention("to_k"))
    values = projection(attention("to_v"))
    // Over all heads together, before they are split.
    queryNorm = RMSNorm(attention("norm_q"), width: width, epsilon: epsilon)
    keyNorm = RMSNorm(attention("norm_k"), width: width, epsilon: epsilon)
    output = projection(attention("to_out")(0))
    crossAttentionNorm =
      configuration.normalizesCrossAttention
      ? LayerNorm(scope("norm2\(suffix)"), width: width, epsilon: epsilon) : nil
    crossAttention = WanCrossAttention(scope("attn2\(suffix)"), configuration)
    feedForwardNorm = LayerNorm(scope("norm3\(suffix)"), width: width, epsilon: epsilon, isAffine: false)
    feedForward = FeedForward(scope("ffn\(suffix)"), width: width, hidden: configuration.feedForwardSize)
  }

  package struct Residual {
    let stream: Tensor
    let modulation: [PartModulation]
  }

  package func project(
    _ stream: Tensor, _ conditioning: WanConditioning, _ context: RunContext
  ) -> Projection<Residual> {
    let modulation = modulation(conditioning)
    let normed = attentionNorm(stream, modulation.map(\.attention))
    let queries = queryNorm(self.queries(normed)).splitIntoHeads(headCount, rotary: conditioning.rotary)
    context.probe("attn1\(suffix).query", queries)
    return Projection(
      queries: queries, keyValues: keyValues(normed, conditioning, context),
      residual: Residual(stream: stream, modulation: modulation))
  }

  package func projectKeyValues(
    _ stream: Tensor, _ conditioning: WanConditioning, _ context: RunContext
  ) -> KeyValues {
    keyValues(attentionNorm(stream, modulation(conditioning).map(\.attention)), conditioning, context)
  }

  package func finish(
    _ attended: Tensor, _ residual: Residual, _ conditioning: WanConditioning, _ context: RunContext
  ) -> Tensor {
    let attention = output(attended)
    context.probe("attn1\(suffix).output", attention)
    var stream = residual.stream.adding(attention, gatedBy: residual.modulation.map(\.attentionGate))
    let cross = crossAttention(crossAttentionNorm?(stream) ?? stream, conditioning.parts)
    context.probe("attn2\(suffix).output", cross)
    stream = stream + cross
    let update = feedForward(feedForwardNorm(stream, residual.modulation.map(\.feedForward)))
    context.probe("ffn\(suffix).output", update)
    return stream.adding(update, gatedBy: residual.modulation.map(\.feedForwardGate))
  }

  private func keyValues(_ normed: Tensor, _ conditioning: WanConditioning, _ context: RunContext) -> KeyValues {
    let keyValues = KeyValues(
      keys: keyNorm(keys(normed)).splitIntoHeads(headCount, rotary: conditioning.rotary),
      values: values(normed).splitIntoHeads(headCount))
    context.probe("attn1\(suffix).key", keyValues.keys)
    context.probe("attn1\(suffix).value", keyValues.values)
    return keyValues
  }

  /// What one clip's tokens are shifted, scaled and gated by.
  struct PartModulation {
    let attention: Modulation
    let attentionGate: Gate
    let feedForward: Modulation
    let feedForwardGate: Gate

    /// - Parameter rows: `[B, 6, D]`, in the published order.
    init(_ rows: Tensor, tokens: Range<Int>) {
      func row(_ index: Int) -> Tensor { rows.sliced(1, index..<index + 1).reshaped([rows.shape[0], rows.shape[2]]) }
      attention = Modulation(tokens: tokens, scale: row(1), shift: row(0))
      attentionGate = Gate(tokens: tokens, gate: row(2))
      feedForward = Modulation(tokens: tokens, scale: row(4), shift: row(3))
      feedForwardGate = Gate(tokens: tokens, gate: row(5))
    }
  }

  private func modulation(_ conditioning: WanConditioning) -> [PartModulation] {
    let table = self.table.tensor[0]
    return conditioning.parts.map { PartModulation($0.modulation.addingRows(table), tokens: $0.tokens) }
  }
}
