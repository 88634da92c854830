import CZlib
import Checkpoints
import Runtime

/// Files as they are or compressed by gzip, read whole.
enum GzipFile {
  /// The contents, expanded if the file starts as gzip's do.
  ///
  /// Throws `TokenizerError` for damaged files and those larger than `limit` bytes when expanded, and `FileFailure`.
  static func contents(of path: String, limit: Int) throws -> [UInt8] {
    try MappedFile(path: path).withBytes { bytes in
      guard bytes.starts(with: [0x1F, 0x8B]) else {
        guard bytes.count <= limit else {
          throw TokenizerError.tooLarge(path: path, byteCount: bytes.count, limit: limit)
        }
        if let format = ForeignFormat(bytes) { throw TokenizerError.otherFormat(path: path, format) }
        return Array(bytes)
      }
      return try expanded(bytes, path: path, limit: limit)
    }
  }

  private static func expanded(
    _ bytes: UnsafeRawBufferPointer, path: String, limit: Int
  ) throws(TokenizerError) -> [UInt8] {
    guard let input = bytes.baseAddress, let inputCount = UInt32(exactly: bytes.count) else {
      throw .tooLarge(path: path, byteCount: bytes.count, limit: limit)
    }
    var stream = z_stream()
    // 15 bits of window, plus 16: gzip's header and checksum are required.
    guard inflateInit2_(&stream, 15 + 16, zlibVersion(), Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw .damagedArchive(path: path, why: "zlib does not start")
    }
    defer { inflateEnd(&stream) }
    // zlib's type is not const, but it only reads from here.
    stream.next_in = UnsafeMutablePointer(mutating: input.assumingMemoryBound(to: UInt8.self))
    stream.avail_in = inputCount
    var result: [UInt8] = []
    var status = Z_OK
    while status == Z_OK {
      let chunk = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
        stream.next_out = buffer.baseAddress
        stream.avail_out = UInt32(buffer.count)
        status = inflate(&stream, Z_NO_FLUSH)
        count = buffer.count - Int(stream.avail_out)
      }
      result += chunk
      guard result.count <= limit else { throw .tooLarge(path: path, byteCount: result.count, limit: limit) }
    }
    guard status == Z_STREAM_END else {
      throw .damagedArchive(path: path, why: stream.msg.map { String(cString: $0) } ?? "it is cut short")
    }
    return result
  }
}
