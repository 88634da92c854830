import Checkpoints
import Compute
import Layers
import Tensors

/// What CLIP's image and text transformers have in common.
package struct CLIPTransformerShape: Sendable, Equatable {
  /// The activation of the feed-forward part by its published name.
  package enum ActivationName: String, CaseIterable, Sendable {
    case gelu
    case quickGELU = "quick_gelu"

    var function: Activation {
      switch self {
      case .gelu: .gelu
      case .quickGELU: .quickGELU
      }
    }
  }

  /// D
  package var width: Int
  package var headCount: Int
  package var feedForwardSize: Int
  package var layerCount: Int
  package var activation = ActivationName.quickGELU
  package var epsilon = 1e-5

  package init(width: Int, headCount: Int, feedForwardSize: Int, layerCount: Int) {
    self.width = width
    self.headCount = headCount
    self.feedForwardSize = feedForwardSize
    self.layerCount = layerCount
  }
}

/// A transformer layer with normalisation before attention and before the feed-forward part (Radford et al. 2021).
struct CLIPBlock: Sendable {
  private let headCount: Int
  private let attentionNorm: LayerNorm
  private let queries: Linear
  private let keys: Linear
  private let values: Linear
  private let output: Linear
  private let feedForwardNorm: LayerNorm
  private let expansion: Linear
  private let contraction: Linear
  private let activation: Activation

  /// Keys: `layer_norm1`, `self_attn.{q,k,v,out}_proj`, `layer_norm2`, `mlp.fc1`, `mlp.fc2`.
  init(_ scope: ParameterScope, _ shape: CLIPTransformerShape) {
    let (width, epsilon) = (shape.width, Float(shape.epsilon))
    let attention = scope("self_attn")
    func projection(_ name: String) -> Linear { Linear(attention(name), inputs: width, outputs: width) }
    headCount = shape.headCount
    attentionNorm = LayerNorm(scope("layer_norm1"), width: width, epsilon: epsilon)
    queries = projection("q_proj")
    keys = projection("k_proj")
    values = projection("v_proj")
    output = projection("out_proj")
    feedForwardNorm = LayerNorm(scope("layer_norm2"), width: width, epsilon: epsilon)
    expansion = Linear(scope("mlp")("fc1"), inputs: width, outputs: shape.feedForwardSize)
    contraction = Linear(scope("mlp")("fc2"), inputs: shape.feedForwardSize, outputs: width)
    activation = shape.activation.function
  }

  /// `[B, N, D]` to `[B, N, D]`.
  ///
  /// - Parameter mask: `[A, N, N]`, added to the scores of attention.
  func callAsFunction(_ hidden: Tensor, mask: Tensor? = nil) -> Tensor {
    let normed = attentionNorm(hidden)
    func heads(_ projection: Linear) -> Tensor { projection(normed).splitIntoHeads(headCount) }
    let attended = heads(queries).attending(to: [KeyValues(keys: heads(keys), values: heads(values))], bias: mask)
    let stream = hidden + output(attended)
    return stream + contraction(expansion(feedForwardNorm(stream), activation))
  }
}
