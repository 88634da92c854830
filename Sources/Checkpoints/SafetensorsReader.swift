import Compute
import Runtime
import Tensors

#if _endian(big)
  #error("safetensors data is little endian and is used in place")
#endif

/// A safetensors file, mapped into memory.
///
/// The header is checked completely when the file is opened; tensors are views of the mapping, so reading one costs
/// nothing until its elements are touched. Element types other than `DType`'s are refused with the file, by name: a
/// model could not use them, and their sizes (some are fractions of a byte) are not ours to interpret.
package struct SafetensorsReader: TensorFile {
  private let file: MappedFile
  private let header: SafetensorsHeader

  /// Throws `SafetensorsError`, or `FileFailure` if the file cannot be opened.
  package init(path: String) throws {
    file = try MappedFile(path: path)
    header = try SafetensorsHeader(file.bytes, path: path)
  }

  package var path: String { file.path }
  package var names: [String] { header.names }
  package var metadata: [String: String] { header.metadata }

  package func shape(of name: String) -> Shape? { header.entries[name]?.shape }

  package func dtype(of name: String) -> DType? { header.entries[name]?.dtype }

  /// Data that does not lie on a multiple of its element size is copied, because kernels need aligned elements.
  package func tensor(named name: String) throws -> Tensor {
    guard let entry = header.entries[name] else { throw CheckpointError.missingTensor(path: path, name: name) }
    try file.checkUnchanged()
    let mapped = Storage(mapping: file, entry.bytes)
    let layout = Layout(entry.shape)
    guard entry.bytes.lowerBound % entry.dtype.byteCount != 0 else {
      return Tensor(storage: mapped, layout: layout, dtype: entry.dtype)
    }
    let owned = Storage(byteCount: entry.bytes.count)
    owned.bytes.copyMemory(from: UnsafeRawBufferPointer(mapped.bytes))
    return Tensor(storage: owned, layout: layout, dtype: entry.dtype)
  }

  package func checkUnchanged() throws(FileFailure) { try file.checkUnchanged() }
}
