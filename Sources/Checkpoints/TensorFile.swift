import Compute
import Runtime
import Tensors

/// A file of named tensors.
package protocol TensorFile: Sendable {
  var path: String { get }
  /// Names of the tensors, in the order of the file.
  var names: [String] { get }
  /// Shape of a tensor, without touching its data; nil if there is no such tensor.
  func shape(of name: String) -> Shape?
  /// Element type of a tensor, without touching its data; nil if there is no such tensor.
  func dtype(of name: String) -> DType?
  /// A tensor as a view of the file.
  ///
  /// Throws `CheckpointError.missingTensor`, or `FileFailure` if the file was changed since it was opened.
  func tensor(named name: String) throws -> Tensor
  /// Throws if the file was truncated or rewritten since it was opened.
  func checkUnchanged() throws(FileFailure)
}

extension TensorFile {
  package func contains(_ name: String) -> Bool { shape(of: name) != nil }
}
