import Compute
import Layers
import Tensors

/// Sizes of CLIP's text encoder; the published ones are those of ViT-B/32.
package struct CLIPTextConfiguration: Sendable, Equatable {
  package var transformer = CLIPTransformerShape(width: 512, headCount: 8, feedForwardSize: 2048, layerCount: 12)
  package var vocabularySize = 49_408
  package var contextLength = 77
  /// Width of the embedding that texts share with images.
  package var projectionSize = 512

  package init() {}
}

/// The text encoder of CLIP (Radford et al. 2021): a transformer in which tokens see only those before them.
package struct CLIPTextEncoder: Sendable {
  package let configuration: CLIPTextConfiguration
  private let tokens: Parameter
  private let positions: Parameter
  private let blocks: [Segment<CLIPBlock>]
  private let outputNorm: LayerNorm
  private let projection: Linear
  private let mask: Tensor

  /// Keys: `text_model.*`, and `text_projection.weight` `[projection size, D]`.
  package init(_ scope: ParameterScope, _ configuration: CLIPTextConfiguration) {
    self.configuration = configuration
    let shape = configuration.transformer
    let text = scope("text_model")
    let embeddings = text("embeddings")
    tokens = embeddings("token_embedding").parameter("weight", [configuration.vocabularySize, shape.width])
    positions = embeddings("position_embedding").parameter("weight", [configuration.contextLength, shape.width])
    blocks = (0..<shape.layerCount).map { index in
      Segment(text("encoder")("layers")(index)) { CLIPBlock($0, shape) }
    }
    outputNorm = LayerNorm(text("final_layer_norm"), width: shape.width, epsilon: Float(shape.epsilon))
    projection = Linear(
      scope("text_projection"), inputs: shape.width, outputs: configuration.projectionSize, usesBias: false)
    mask = Self.causalMask(heads: shape.headCount, tokens: configuration.contextLength)
  }

  /// The embedding of texts, not normalised: `[B, projection size]`.
  ///
  /// Shows the observer `text.final`: the normalised tokens after the last layer, `[B, N, D]`.
  ///
  /// - Parameter ids: token ids of each text, padded to the context length. A text's embedding is read where its largest
  ///   id first stands: the closing token.
  package func embedding(of ids: [[Int32]], context: RunContext) throws -> Tensor {
    let (batch, length, width) = (ids.count, configuration.contextLength, configuration.transformer.width)
    precondition(
      ids.allSatisfy { $0.count == length && $0.allSatisfy { (0..<Int32(configuration.vocabularySize)).contains($0) } },
      "token ids for a context of \(length)")
    let rows = Tensor.concatenated(
      ids.joined().map { tokens.tensor.sliced(0, Int($0)..<Int($0) + 1) }, axis: 0)
    let embedded = rows.reshaped([batch, length, width]).addingRows(positions.tensor)
    let hidden = try context.run(blocks, on: embedded) { _, block, hidden in block(hidden, mask: mask) }
    let final = outputNorm(hidden)  // [B, N, D]
    context.probe("text.final", final)
    let ends = ids.enumerated().map { sample, ids in
      let end = ids.firstIndex(of: ids.max() ?? 0) ?? 0
      return final[sample].sliced(0, end..<end + 1)
    }
    return projection(Tensor.concatenated(ends, axis: 0))
  }

  /// `[heads, tokens, tokens]`: 0 where a token may look, minus infinity at the tokens after it.
  private static func causalMask(heads: Int, tokens: Int) -> Tensor {
    Tensor([heads, tokens, tokens]) { output in
      for row in 0..<heads * tokens {
        for column in 0..<tokens { output[row * tokens + column] = column > row % tokens ? -.infinity : 0 }
      }
    }
  }
}
