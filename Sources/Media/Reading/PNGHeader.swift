/// What FFmpeg does not tell of a PNG file: its size when decoding is refused, and the orientation in its EXIF chunk.
struct PNGHeader {
  private(set) var size: FrameSize?
  private(set) var orientation: Orientation?

  /// Chunks after this many are not looked at.
  private static let chunkLimit = 10_000

  /// Nil if the file does not begin as a PNG does.
  init?(_ file: InputFile) throws {
    guard try file.bytes(at: 0, count: 8) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] else { return nil }
    var offset = 8
    for _ in 0..<Self.chunkLimit {
      let head = try file.bytes(at: offset, count: 8)
      guard head.count == 8 else { return }
      let length = Int(bigEndian(head[0..<4]))
      switch String(decoding: head[4..<8], as: UTF8.self) {
      case "IHDR":
        let fields = try file.bytes(at: offset + 8, count: 8)
        guard fields.count == 8 else { return }
        size = FrameSize(width: Int(bigEndian(fields[0..<4])), height: Int(bigEndian(fields[4..<8])))
      case "eXIf": orientation = Self.orientation(inEXIF: try file.bytes(at: offset + 8, count: min(length, 1 << 16)))
      case "IEND": return
      default: break
      }
      offset += 12 + length
    }
  }

  /// The orientation tag of the first directory of a TIFF structure.
  static func orientation(inEXIF bytes: [UInt8]) -> Orientation? {
    guard bytes.count >= 8, bytes[0] == bytes[1], bytes[0] == 0x49 || bytes[0] == 0x4D else { return nil }
    let isLittleEndian = bytes[0] == 0x49
    func number(_ range: Range<Int>) -> Int? {
      guard range.upperBound <= bytes.count else { return nil }
      return Int(bigEndian(isLittleEndian ? ArraySlice(bytes[range].reversed()) : bytes[range]))
    }
    guard number(2..<4) == 42, let start = number(4..<8), let count = number(start..<start + 2) else { return nil }
    for entry in 0..<count {
      let at = start + 2 + entry * 12
      guard let tag = number(at..<at + 2) else { return nil }
      if tag == 0x0112 { return number(at + 8..<at + 10).flatMap(Orientation.init(exif:)) }
    }
    return nil
  }
}

private func bigEndian(_ bytes: some Sequence<UInt8>) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }
