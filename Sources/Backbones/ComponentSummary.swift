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

  /// - Parameter stores: where the tensors are; one in an earlier store hides those of its name in later ones.
  package init(name: String, facts: [Fact], stores: [WeightStore], unexpected: [String]) {
    var parameters: [DType: Int] = [:]
    var expert = 0
    let keys = Set(stores.flatMap(\.names))
    for key in keys {
      guard let store = stores.first(where: { $0.contains(key) }), let count = store.shape(of: key)?.count,
        let dtype = store.dtype(of: key)
      else { continue }
      parameters[dtype, default: 0] += count
      if key.contains(expertSuffix) { expert += count }
    }
    self.name = name
    self.facts = facts
    self.parameters = parameters
    self.unexpected = unexpected
    tensorCount = keys.count
    expertParameters = expert
  }

  package var parameterCount: Int { parameters.values.reduce(0, +) }
  package var byteCount: Int { parameters.reduce(0) { $0 + $1.key.byteCount * $1.value } }

  /// "0-40" or "0, 2, 5-7"; "none" for an empty list.
  static func ranges(_ layers: [Int]) -> String {
    var runs: [ClosedRange<Int>] = []
    for layer in layers.sorted() {
      if let last = runs.last, last.upperBound + 1 == layer {
        runs[runs.count - 1] = last.lowerBound...layer
      } else {
        runs.append(layer...layer)
      }
    }
    let texts = runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
    return texts.isEmpty ? "none" : texts.joined(separator: ", ")
  }
}
