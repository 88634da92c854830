import Runtime

/// The bytes of a serialised SentencePiece model, checked before the library sees them.
struct SentencePieceFile {
  /// The normalisation of text, if the model has one.
  private(set) var characterMap: CharacterMap?
  private let bytes: UnsafeRawBufferPointer
  private let path: String

  /// Throws unless the file is a well-formed message with pieces and sound normalisation tables.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(TokenizerError) {
    self.bytes = bytes
    self.path = path
    var pieceCount = 0
    var hasNormalizer = false
    var characterMap: CharacterMap?
    try forEachField(in: bytes.indices) { (field, content) throws(TokenizerError) in
      if field == Field.piece { pieceCount += 1 }
      guard field == Field.normalizer || field == Field.denormalizer, let content else { return }
      if field == Field.normalizer { hasNormalizer = true }
      try forEachField(in: content) { (inner, table) throws(TokenizerError) in
        guard inner == Field.table, let table, !table.isEmpty else { return }
        let map = try parseTable(table)
        if field == Field.normalizer { characterMap = map }
      }
    }
    guard pieceCount > 0 else { throw failure(0, "it has no pieces") }
    // It follows the pieces: a file that was cut between two of them shows by its absence.
    guard hasNormalizer else { throw failure(bytes.count, "its normaliser is missing") }
    self.characterMap = characterMap
  }

  private func parseTable(_ table: Range<Int>) throws(TokenizerError) -> CharacterMap {
    do throws(CharacterMap.Flaw) {
      return try CharacterMap(bytes[table])
    } catch {
      throw failure(table.lowerBound + error.offset, error.why)
    }
  }

  private enum Field {
    static let piece: UInt64 = 1
    static let normalizer: UInt64 = 3
    static let denormalizer: UInt64 = 5
    static let table: UInt64 = 2
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
