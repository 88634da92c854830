import Compute
import Layers
import Tensors

/// What a CogVideoX stream is processed under.
package struct CogVideoXConditioning: Sendable {
  /// SiLU of the time embeddings, `[B, time size]` each: one for the whole stream, or one for each of its clips.
  let timeEmbeddings: [Tensor]
  /// Rotation of the video tokens, or nil for models without rotary embedding.
  let rotary: RotaryTable?
  /// Tokens before this index are text: modulated apart and not rotated.
  let textCount: Int

  package init(timeEmbedding: Tensor, rotary: RotaryTable?, textCount: Int) {
    self.init(timeEmbeddings: [timeEmbedding], rotary: rotary, textCount: textCount)
  }

  init(timeEmbeddings: [Tensor], rotary: RotaryTable?, textCount: Int) {
    self.timeEmbeddings = timeEmbeddings
    self.rotary = rotary
    self.textCount = textCount
  }

  /// The tokens of each clip that has a time embedding of its own, in a stream of `count` tokens: all texts stand before
  /// all videos.
  func clips(of count: Int) -> [(text: Range<Int>, video: Range<Int>, time: Tensor)] {
    let (texts, videos) = (textCount / timeEmbeddings.count, (count - textCount) / timeEmbeddings.count)
    return timeEmbeddings.enumerated().map { index, time in
      (
        index * texts..<(index + 1) * texts, textCount + index * videos..<textCount + (index + 1) * videos, time
      )
    }
  }
}

/// One branch of a CogVideoX block: a stream `[text | video]` with modulated norms.
///
/// Base and expert are two of these, built from the same code with suffix "" and "_mot_ref".
package struct CogVideoXBranch: MixtureBranch {
  private let headCount: Int
  private let attentionNorm: ModulatedNorm
  private let feedForwardNorm: ModulatedNorm
  private let queries: Linear
  private let keys: Linear
  private let values: Linear
  private let queryNorm: HeadLayerNorm
  private let keyNorm: HeadLayerNorm
  private let output: Linear
  private let feedForward: FeedForward

  /// Keys: `norm1{suffix}`, `attn1{suffix}`, `norm2{suffix}`, `ff{suffix}` of the block's scope.
  package init(_ scope: ParameterScope, suffix: String, _ configuration: CogVideoXConfiguration) {
    let width = configuration.hiddenSize
    headCount = configuration.headCount
    attentionNorm = ModulatedNorm(scope("norm1\(suffix)"), configuration)
    let attention = scope("attn1\(suffix)")
    func projection(_ name: String) -> Linear {
      Linear(attention(name), inputs: width, outputs: width, usesBias: configuration.usesAttentionBias)
    }
    queries = projection("to_q")
    keys = projection("to_k")
    values = projection("to_v")
    // The published blocks normalise heads with 1e-6, whatever norm_eps says.
    queryNorm = HeadLayerNorm(attention("norm_q"), headSize: configuration.headSize, epsilon: 1e-6)
    keyNorm = HeadLayerNorm(attention("norm_k"), headSize: configuration.headSize, epsilon: 1e-6)
    output = Linear(attention("to_out")(0), inputs: width, outputs: width)
    feedForwardNorm = ModulatedNorm(scope("norm2\(suffix)"), configuration)
    feedForward = FeedForward(scope("ff\(suffix)"), width: width, hidden: 4 * width)
  }

  package struct Residual {
    let stream: Tensor
    let gates: [Gate]
  }

  package func project(
    _ stream: Tensor, _ conditioning: CogVideoXConditioning, _ context: RunContext
  ) -> Projection<Residual> {
    let (normed, gates) = attentionNorm(stream, conditioning)
    return Projection(
      queries: heads(queries(normed), queryNorm, conditioning), keyValues: keyValues(normed, conditioning),
      residual: Residual(stream: stream, gates: gates))
  }

  package func projectKeyValues(
    _ stream: Tensor, _ conditioning: CogVideoXConditioning, _ context: RunContext
  ) -> KeyValues {
    keyValues(attentionNorm(stream, conditioning).normed, conditioning)
  }

  package func finish(
    _ attended: Tensor, _ residual: Residual, _ conditioning: CogVideoXConditioning, _ context: RunContext
  ) -> Tensor {
    let stream = residual.stream.adding(output(attended), gatedBy: residual.gates)
    let (normed, gates) = feedForwardNorm(stream, conditioning)
    return stream.adding(feedForward(normed), gatedBy: gates)
  }

  private func keyValues(_ normed: Tensor, _ conditioning: CogVideoXConditioning) -> KeyValues {
    KeyValues(
      keys: heads(keys(normed), keyNorm, conditioning), values: values(normed).splitIntoHeads(headCount))
  }

  private func heads(_ projected: Tensor, _ norm: HeadLayerNorm, _ conditioning: CogVideoXConditioning) -> Tensor {
    projected.splitIntoHeads(
      headCount, norm: norm.norm, rotary: conditioning.rotary, rotaryStart: conditioning.textCount)
  }
}

/// Layer norm whose shift, scale and gate come from the time embedding, with sets of their own for video and text
/// ("CogVideoXLayerNormZero").
private struct ModulatedNorm: Sendable {
  private let modulation: Linear
  private let norm: LayerNorm

  /// Keys: `linear.*` `[6 D, time size]`, `norm.*` `[D]`.
  init(_ scope: ParameterScope, _ configuration: CogVideoXConfiguration) {
    // A new model starts with closed gates, so that its blocks change nothing yet (Peebles & Xie 2023).
    modulation = Linear(
      scope("linear"), inputs: configuration.timeEmbeddingSize, outputs: 6 * configuration.hiddenSize,
      initially: .zeros)
    norm = LayerNorm(
      scope("norm"), width: configuration.hiddenSize, epsilon: Float(configuration.normEpsilon),
      isAffine: configuration.isNormAffine)
  }

  func callAsFunction(_ stream: Tensor, _ conditioning: CogVideoXConditioning) -> (normed: Tensor, gates: [Gate]) {
    let width = stream.shape[2]
    var modulations: [Modulation] = []
    var gates: [Gate] = []
    for clip in conditioning.clips(of: stream.shape[1]) {
      let rows = modulation(clip.time)  // [B, 6 D]
      func row(_ index: Int) -> Tensor { rows.sliced(1, index * width..<(index + 1) * width) }
      // Published order: shift, scale, gate of the video, then of the text.
      modulations += [
        Modulation(tokens: clip.video, scale: row(1), shift: row(0)),
        Modulation(tokens: clip.text, scale: row(4), shift: row(3)),
      ]
      gates += [Gate(tokens: clip.video, gate: row(2)), Gate(tokens: clip.text, gate: row(5))]
    }
    return (norm(stream, modulations), gates)
  }
}
