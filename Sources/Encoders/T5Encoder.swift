import Compute
import Layers
import Runtime
import Tensors

/// The encoder of T5 1.1 (Raffel et al. 2020) or UMT5 (Chung et al. 2023): one stack of layers, two configurations.
package struct T5Encoder: Sendable {
  private let embedding: Parameter
  private let blocks: [Segment<T5Block>]
  private let finalNorm: RMSNorm

  /// Names of the embedding table; published files hold it under either or both.
  private static let embeddingKeys = ["shared.weight", "encoder.embed_tokens.weight"]

  /// Keys: the embedding table `[vocabulary, D]`, `encoder.block.i.*`, `encoder.final_layer_norm.weight` `[D]`.
  package init(_ scope: ParameterScope, _ configuration: T5EncoderConfiguration) {
    embedding = scope.parameter(
      firstOf: Self.embeddingKeys, [configuration.vocabularySize, configuration.hiddenSize],
      initially: .normal(deviation: 1))
    let encoder = scope("encoder")
    blocks = (0..<configuration.layerCount).map { index in
      Segment(encoder("block")(index)) {
        T5Block($0, configuration, ownsPositionBias: index == 0 || configuration.family == .umt5)
      }
    }
    finalNorm = RMSNorm(
      encoder("final_layer_norm"), width: configuration.hiddenSize, epsilon: Float(configuration.epsilon))
  }

  /// Whether a key is a second name of the embedding table, which a complete checkpoint may carry unused.
  package static func isTiedKey(_ key: String) -> Bool { embeddingKeys.contains(key) }

  /// Encodes prompts of equal length. `[B, N, D]`.
  ///
  /// Shows the observer `hidden_0` (embeddings) and `hidden_i` (after i layers, before the final norm).
  ///
  /// - Parameters:
  ///   - ids: token ids of each prompt, padding included.
  ///   - keyCounts: how many leading tokens of each prompt are attended to, that is, its attention mask; padding beyond
  ///     is encoded too but looked at by no token. Without it, padding is attended to like text.
  package func callAsFunction(
    _ ids: [[Int]], keyCounts: [Int]? = nil, context: RunContext
  ) throws -> Tensor {
    let tokens = ids.first?.count ?? 0
    precondition(tokens > 0 && ids.allSatisfy { $0.count == tokens }, "prompts of \(ids.map(\.count)) tokens")
    precondition(
      keyCounts.map { $0.count == ids.count && $0.allSatisfy((1...tokens).contains) } ?? true,
      "attention to \(keyCounts ?? []) of \(tokens) tokens")
    let embedded = try embed(ids)
    context.probe("hidden_0", embedded)
    var positionBias: Tensor?
    let hidden = try context.run(blocks, on: embedded) { index, block, hidden in
      positionBias = block.positionBias(tokens: tokens)?.dense() ?? positionBias
      // The first block owns a bias in either family.
      guard let positionBias else { preconditionFailure("no block up to \(index) owns a position bias") }
      let output = block(hidden, positionBias: positionBias, keyCounts: keyCounts)
      context.probe("hidden_\(index + 1)", output)
      return output
    }
    return finalNorm(hidden)
  }

  /// Rows of the embedding table, unscaled: only they are read and converted, not the table.
  private func embed(_ ids: [[Int]]) throws(TokenFailure) -> Tensor {
    let (size, width) = (embedding.shape[0], embedding.shape[1])
    var rows: [Tensor] = []
    for id in ids.joined() {
      guard (0..<size).contains(id) else { throw TokenFailure(id: id, vocabularySize: size) }
      rows.append(embedding.tensor.sliced(0, id..<id + 1))
    }
    return Tensor.concatenated(rows, axis: 0).reshaped([ids.count, ids[0].count, width])
  }
}

/// A token that the text encoder has no embedding for: tokenizer and encoder are not of one model.
package struct TokenFailure: Failure, Equatable {
  package let id: Int
  package let vocabularySize: Int

  package var category: FailureCategory { .badInput }
  package var message: String {
    "the tokenizer gives token \(id), the text encoder knows tokens 0 to \(vocabularySize - 1); use the tokenizer that "
      + "was published with the text encoder"
  }
}
