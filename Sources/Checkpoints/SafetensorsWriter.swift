import Compute
import Foundation
import Runtime
import Tensors

/// Writes tensors as a safetensors file, byte for byte as the official writer does.
package enum SafetensorsWriter {
  /// Writes `tensors` to `path`, atomically and without holding a copy of all of them.
  ///
  /// As in the official writer the data is ordered by element type, widest first, then by name, and the header is padded
  /// with spaces to a multiple of 8 bytes: so every tensor is aligned to its element size.
  ///
  /// Names must differ from each other and from `__metadata__`. Throws `FileFailure`.
  package static func write(
    _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = [:], to path: String
  ) throws {
    precondition(
      Set(tensors.map(\.name)).union(["__metadata__"]).count == tensors.count + 1, "tensor names are not distinct")
    let ordered = tensors.sorted { first, second in
      let ranks = (rank(first.tensor.dtype), rank(second.tensor.dtype))
      return ranks.0 != ranks.1 ? ranks.0 > ranks.1 : first.name.utf8.lexicographicallyPrecedes(second.name.utf8)
    }
    let header = header(ordered, metadata: metadata)
    try AtomicFile.write(to: path) { temporary in
      let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else { throw FileFailure(path: temporary, action: "create") }
      defer { close(descriptor) }
      var length = UInt64(header.count).littleEndian
      try withUnsafeBytes(of: &length) { try AtomicFile.append($0, to: descriptor, path: path) }
      try header.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
      for (_, tensor) in ordered {
        let dense = tensor.layout.isDense ? tensor : tensor.gathered()
        let bytes = UnsafeRawBufferPointer(dense.storage.bytes)
        let start = dense.layout.offset * dense.dtype.byteCount
        try withExtendedLifetime(dense) {
          try AtomicFile.append(
            UnsafeRawBufferPointer(rebasing: bytes[start..<start + dense.byteCount]), to: descriptor, path: path)
        }
      }
    }
  }

  private static func header(_ tensors: [(name: String, tensor: Tensor)], metadata: [String: String]) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map {
        "\(JSONValue.quoted($0.key)):\(JSONValue.quoted($0.value))"
      }
      members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var offset = 0
    for (name, tensor) in tensors {
      let shape = tensor.shape.extents.map(String.init).joined(separator: ",")
      let end = offset + tensor.byteCount
      members.append(
        "\(JSONValue.quoted(name)):{\"dtype\":\"\(tensor.dtype.safetensorsName)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var bytes = Array("{\(members.joined(separator: ","))}".utf8)
    bytes.append(contentsOf: repeatElement(0x20, count: (8 - bytes.count % 8) % 8))
    return bytes
  }

  /// Position in the official writer's order of element types.
  private static func rank(_ type: DType) -> Int {
    switch type {
    case .bool: 0
    case .uint8: 1
    case .int8: 2
    case .int16: 3
    case .float16: 4
    case .bfloat16: 5
    case .int32: 6
    case .float32: 7
    case .float64: 8
    case .int64: 9
    }
  }
}
