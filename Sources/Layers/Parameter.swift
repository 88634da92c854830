import Compute
import Tensors

/// A named weight of a model. A class because it has identity: its key, and later its place in an optimizer.
package final class Parameter: Sendable {
  /// The published checkpoint key, for example `transformer_blocks.0.attn1.to_q.weight`.
  package let key: String
  package let tensor: Tensor

  package init(key: String, tensor: Tensor) {
    self.key = key
    self.tensor = tensor
  }

  package var shape: Shape { tensor.shape }
}
