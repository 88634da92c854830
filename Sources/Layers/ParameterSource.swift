import Compute
import Tensors

/// Where the values of parameters come from.
package protocol ParameterSource: Sendable {
  /// Names of all tensors the source holds; the report of unexpected keys is drawn from it.
  var keys: [String] { get }
  /// What to call the source in messages, for example the path of a checkpoint's directory.
  var description: String { get }
  /// The tensor under a key, or nil if there is none; `shape` is what the model expects, for sources that make values.
  func tensor(_ key: String, _ shape: Shape) throws -> Tensor?
  /// As `tensor`, for sources that make values: what kind of values the parameter starts from.
  func tensor(_ key: String, _ shape: Shape, initially: Initialization) throws -> Tensor?
}

extension ParameterSource {
  package func tensor(_ key: String, _ shape: Shape, initially: Initialization) throws -> Tensor? {
    try tensor(key, shape)
  }
}
