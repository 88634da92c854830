import Compute
import Tensors

/// Another source whose keys all begin with a common prefix, under the keys without it.
///
/// Weights of models that were wrapped for training carry the name of the wrapper, such as `module.`.
package struct UnprefixedSource: ParameterSource {
  private let source: any ParameterSource
  private let prefix: String

  /// Takes the prefix off if every key has it; else keys stay as they are.
  package init(_ source: any ParameterSource, prefix: String) {
    self.source = source
    self.prefix = source.keys.allSatisfy { $0.hasPrefix(prefix) } ? prefix : ""
  }

  package var keys: [String] { source.keys.map { String($0.dropFirst(prefix.count)) } }
  package var description: String { source.description }
  package func tensor(_ key: String, _ shape: Shape) throws -> Tensor? { try source.tensor(prefix + key, shape) }
}
