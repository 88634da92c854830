import Compute
import Layers
import Tensors

/// The image encoder of CLIP (Radford et al. 2021): a vision transformer.
///
/// Models that read images use its tokens before the last layer; comparisons of images with texts use its embedding.
package struct CLIPVisionEncoder: Sendable {
  package let configuration: CLIPVisionConfiguration
  private let classToken: Parameter
  private let patchWeight: Parameter
  private let positions: Parameter
  private let inputNorm: LayerNorm
  private let blocks: [Segment<CLIPBlock>]
  private let outputNorm: LayerNorm
  private let projection: Linear?

  /// Keys: `vision_model.*`, and `visual_projection.weight` `[projection size, D]`.
  ///
  /// - Parameter isProjected: whether the encoder gives embeddings, for which it needs the projection.
  package init(_ scope: ParameterScope, _ configuration: CLIPVisionConfiguration, isProjected: Bool = false) {
    self.configuration = configuration
    let (shape, patch) = (configuration.transformer, configuration.patchSize)
    let epsilon = Float(shape.epsilon)
    let vision = scope("vision_model")
    let embeddings = vision("embeddings")
    classToken = embeddings.parameter("class_embedding", [shape.width])
    patchWeight = embeddings("patch_embedding").parameter("weight", [shape.width, 3, patch, patch])
    positions = embeddings("position_embedding").parameter("weight", [configuration.tokenCount, shape.width])
    // Spelled so in published files.
    inputNorm = LayerNorm(vision("pre_layrnorm"), width: shape.width, epsilon: epsilon)
    blocks = (0..<shape.layerCount).map { index in
      Segment(vision("encoder")("layers")(index)) { CLIPBlock($0, shape) }
    }
    outputNorm = LayerNorm(vision("post_layernorm"), width: shape.width, epsilon: epsilon)
    projection =
      isProjected
      ? Linear(
        scope("visual_projection"), inputs: shape.width, outputs: configuration.projectionSize, usesBias: false) : nil
  }

  /// Whether published files of an encoder without projection carry a key without use.
  package static func isUnusedKey(_ key: String) -> Bool {
    key == "visual_projection.weight" || key.hasSuffix("embeddings.position_ids")
  }

  /// The tokens of images after some of the layers, all but the last by default: `[B, tokens, D]`.
  ///
  /// Shows the observer `hidden_states.0` (before the first layer) and `hidden_states.i` (after i layers).
  ///
  /// - Parameter pixels: normalised, `[B, 3, S, S]`.
  package func tokens(of pixels: Tensor, afterLayers layerCount: Int? = nil, context: RunContext) throws -> Tensor {
    let embedded = inputNorm(embed(pixels))
    context.probe("hidden_states.0", embedded)
    let count = layerCount ?? blocks.count - 1
    return try context.run(Array(blocks.prefix(count)), on: embedded) { index, block, hidden in
      let output = block(hidden)
      context.probe("hidden_states.\(index + 1)", output)
      return output
    }
  }

  /// The embedding of images, not normalised: `[B, projection size]`. The encoder must have a projection.
  package func embedding(of pixels: Tensor, context: RunContext) throws -> Tensor {
    guard let projection else { preconditionFailure("embedding by an encoder without projection") }
    let tokens = try tokens(of: pixels, afterLayers: blocks.count, context: context)
    let whole = tokens.sliced(1, 0..<1).reshaped([tokens.shape[0], tokens.shape[2]])
    return projection(outputNorm(whole))
  }

  /// `[B, 3, S, S]` to `[B, tokens, D]`: the token of the whole, then patches row by row.
  private func embed(_ pixels: Tensor) -> Tensor {
    let (batch, side, patch) = (pixels.shape[0], configuration.imageSize, configuration.patchSize)
    precondition(pixels.shape == [batch, 3, side, side], "pixels \(pixels.shape) for images of \(side)")
    let (count, width, size) = (side / patch, configuration.transformer.width, 3 * patch * patch)
    // Pixels beyond the last whole patch are not read.
    let patches = pixels.sliced(2, 0..<count * patch).sliced(3, 0..<count * patch).dense()
      .reshaped([batch, 3, count, patch, count, patch])
      .permuted(0, 2, 4, 1, 3, 5)
      .reshaped([batch, count * count, size])
      .linear(patchWeight.tensor.reshaped([width, size]))
    let whole = classToken.tensor.reshaped([1, 1, width]).repeated(batch)
    return Tensor.concatenated([whole, patches], axis: 1).addingRows(positions.tensor)
  }
}
