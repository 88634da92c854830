import Runtime

/// The bytes of a serialised SentencePiece model, before the library sees them.
///
/// The library trusts the compiled normalisation table of a model: it follows the table's links without looking at its
/// size. So a table is accepted only if no input can lead out of it.
struct SentencePieceFile {
  private let bytes: UnsafeRawBufferPointer
  private let path: String

  init(_ bytes: UnsafeRawBufferPointer, path: String) {
    self.bytes = bytes
    self.path = path
  }

  /// Throws unless the file is a well-formed message with pieces whose normalisation tables are closed.
  func check() throws(TokenizerError) {
    var pieceCount = 0
    var hasNormalizer = false
    try forEachField(in: bytes.indices) { (field, content) throws(TokenizerError) in
      if field == Field.piece { pieceCount += 1 }
      if field == Field.normalizer { hasNormalizer = true }
      guard field == Field.normalizer || field == Field.denormalizer, let content else { return }
      try forEachField(in: content) { (field, content) throws(TokenizerError) in
        if field == Field.precompiledTable, let content, !content.isEmpty { try checkTable(content) }
      }
    }
    guard pieceCount > 0 else { throw failure(0, "it has no pieces") }
    // It follows the pieces: a file that was cut between two of them shows by its absence.
    guard hasNormalizer else { throw failure(bytes.count, "its normaliser is missing") }
  }

  private enum Field {
    static let piece: UInt64 = 1
    static let normalizer: UInt64 = 3
    static let denormalizer: UInt64 = 5
    static let precompiledTable: UInt64 = 2
  }

  private func failure(_ offset: Int, _ why: String) -> TokenizerError {
    .malformedModel(path: path, offset: offset, why: why)
  }
}

// MARK: - Protocol buffers

extension SentencePieceFile {
  /// Calls `body` with the number of each field and, for fields with a length, the range of its content.
  private func forEachField(
    in range: Range<Int>, _ body: (UInt64, Range<Int>?) throws(TokenizerError) -> Void
  ) throws(TokenizerError) {
    var position = range.lowerBound
    while position < range.upperBound {
      let start = position
      let tag = try varint(&position, range.upperBound)
      var content: Range<Int>?
      switch tag & 7 {
      case 0:
        _ = try varint(&position, range.upperBound)
      case 1, 5:
        position += tag & 7 == 1 ? 8 : 4
      case 2:
        let length = try varint(&position, range.upperBound)
        guard length <= range.upperBound - position else { throw failure(start, "a field is longer than its message") }
        content = position..<position + Int(length)
        position += Int(length)
      default:
        throw failure(start, "a field has an unknown kind")
      }
      guard position <= range.upperBound else { throw failure(start, "a number is cut short") }
      try body(tag >> 3, content)
    }
  }

  private func varint(_ position: inout Int, _ end: Int) throws(TokenizerError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 7) {
      guard position < end else { throw failure(position, "a number is cut short") }
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 { return value }
    }
    throw failure(position, "a number is too long")
  }
}

// MARK: - Normalisation table

extension SentencePieceFile {
  /// Checks a table: the size of a trie, the trie (a double array of 32-bit units), and replacement texts.
  ///
  /// A unit at index i with link o continues with a byte b at `i ^ o ^ b`; a unit with a value has it at `i ^ o`, and
  /// the value is where a text, which ends with a zero byte, starts.
  private func checkTable(_ table: Range<Int>) throws(TokenizerError) {
    guard table.count > 4 else { throw failure(table.lowerBound, "the normalisation table is cut short") }
    let trieSize = Int(word(at: table.lowerBound))
    let trie = table.lowerBound + 4
    guard trieSize % 4 == 0, trieSize > 0, trieSize < table.upperBound - trie else {
      throw failure(table.lowerBound, "the normalisation table gives a wrong size for its trie")
    }
    let unitCount = trieSize / 4
    let textSize = table.upperBound - trie - trieSize
    guard bytes[table.upperBound - 1] == 0 else {
      throw failure(table.upperBound - 1, "the normalisation table's last text has no end")
    }
    for index in 0..<unitCount {
      let unit = word(at: trie + 4 * index)
      // The highest bit marks a value; no byte of text matches it, but the root is entered unseen.
      guard unit >> 31 == 0 || index == 0 else { continue }
      // Long links are stored shifted by eight bits.
      let next = index ^ Int((unit >> 10) << ((unit & 0x200) >> 6))
      guard next | 0xFF < unitCount else {
        throw failure(trie + 4 * index, "a link leads out of the normalisation table")
      }
      guard unit & 0x100 != 0 else { continue }
      let value = word(at: trie + 4 * next)
      guard value >> 31 == 1, Int(value & 0x7FFF_FFFF) < textSize else {
        throw failure(trie + 4 * next, "a text lies outside of the normalisation table")
      }
    }
  }

  private func word(at offset: Int) -> UInt32 {
    UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }
}
