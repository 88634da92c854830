import Checkpoints
import Compute
import Tensors
import VideoTransformers

/// One component of a checkpoint directory as it is on disk: what it is, and how many parameters it has.
package struct ComponentSummary: Sendable, Equatable {
  package let name: String
  /// Facts from its configuration, in the order to be shown: ("layers", "42").
  package let facts: [Fact]
  package let tensorCount: Int
  /// Elements by storage type.
  package let parameters: [DType: Int]
  /// Elements of the expert's tensors, by the suffix of their keys.
  package let expertParameters: Int
  /// Tensors of the files that the model does not use.
  package let unexpected: [String]

  package struct Fact: Sendable, Equatable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: Any) {
      self.name = name
      self.value = "\(value)"
    }
  }

  package init(name: String, facts: [Fact], store: WeightStore, unexpected: [String]) {
    var parameters: [DType: Int] = [:]
    var expert = 0
    for key in store.names {
      guard let count = store.shape(of: key)?.count, let dtype = store.dtype(of: key) else { continue }
      parameters[dtype, default: 0] += count
      if key.contains(expertSuffix) { expert += count }
    }
    self.name = name
    self.facts = facts
    self.parameters = parameters
    self.unexpected = unexpected
    tensorCount = store.names.count
    expertParameters = expert
  }

  package var parameterCount: Int { parameters.values.reduce(0, +) }
  package var byteCount: Int { parameters.reduce(0) { $0 + $1.key.byteCount * $1.value } }
}
