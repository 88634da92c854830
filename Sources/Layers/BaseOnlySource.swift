import Compute
import Tensors

/// A source without the tensors of an expert: a model as it was before it had one.
package struct BaseOnlySource: ParameterSource {
  private let source: any ParameterSource
  private let suffix: String

  /// - Parameter suffix: what marks the expert's component of a key.
  package init(_ source: any ParameterSource, suffix: String) {
    self.source = source
    self.suffix = suffix
  }

  package var keys: [String] { source.keys.filter { !$0.contains(suffix) } }
  package var description: String { source.description }

  package func tensor(_ key: String, _ shape: Shape) throws -> Tensor? {
    key.contains(suffix) ? nil : try source.tensor(key, shape)
  }
}
