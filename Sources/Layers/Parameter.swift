import Compute
import Synchronization
import Tensors

/// A named weight of a model. A class because it has identity: its key, and its place in an optimizer.
package final class Parameter: Sendable {
  /// The published checkpoint key, for example `transformer_blocks.0.attn1.to_q.weight`.
  package let key: String
  /// Whether a gradient of it is wanted: its tensor is then a variable.
  package let isTrainable: Bool
  private let value: Mutex<Tensor>

  package init(key: String, tensor: Tensor, isTrainable: Bool = false) {
    self.key = key
    self.isTrainable = isTrainable
    value = Mutex(isTrainable ? tensor.asVariable() : tensor)
  }

  package var tensor: Tensor { value.withLock { $0 } }
  package var shape: Shape { tensor.shape }

  /// Gives the parameter new contents of its shape; it stays the same variable.
  package func update(to tensor: Tensor) { value.withLock { $0 = tensor.replacing($0) } }

  /// Changes the contents, in place if nobody else holds them; the parameter stays the same variable.
  package func modify(_ body: (inout Tensor) -> Void) {
    value.withLock { tensor in
      body(&tensor)
    }
  }
}
