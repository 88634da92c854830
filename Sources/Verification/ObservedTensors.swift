import Synchronization
import Tensors

/// Intermediate tensors in the order in which a model showed them.
final class ObservedTensors: Sendable {
  private let noted = Mutex<[(name: String, tensor: Tensor)]>([])
  var tensors: [(name: String, tensor: Tensor)] { noted.withLock { $0 } }
  /// The first tensor of each name.
  var byName: [String: Tensor] { Dictionary(tensors.map { ($0.name, $0.tensor) }) { first, _ in first } }
  var note: @Sendable (String, Tensor) -> Void {
    { name, tensor in self.noted.withLock { $0.append((name, tensor)) } }
  }
}
