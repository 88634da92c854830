/// Reads little-endian numbers and runs of bytes one after the other; nil wherever the bytes end too early.
struct ByteCursor {
  private let bytes: UnsafeRawBufferPointer
  private(set) var offset: Int

  init(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0) {
    self.bytes = bytes
    self.offset = offset
  }

  var remaining: Int { bytes.count - offset }

  mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
    guard count >= 0, offset >= 0, count <= remaining else { return nil }
    defer { offset += count }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
  }

  mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) -> Value? {
    take(MemoryLayout<Value>.size).map { Value(littleEndian: $0.loadUnaligned(as: type)) }
  }

  /// An unsigned number of any width that fits a signed 64-bit integer.
  mutating func count<Value: FixedWidthInteger>(_ type: Value.Type) -> Int? {
    integer(type).flatMap { Int(exactly: $0) }
  }

  /// The bytes up to a line feed, which is taken too.
  mutating func line() -> UnsafeRawBufferPointer? {
    guard let end = bytes[offset...].firstIndex(of: 0x0A) else { return nil }
    defer { offset = end + 1 }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<end])
  }
}
