/// SentencePiece's compiled normalisation: replacements for characters, such as `①` to `1`.
///
/// The table consists of the size of a trie, the trie (a double array of 32-bit units), and replacement texts. A unit at
/// index i with link o continues with a byte b at `i ^ o ^ b`; a unit that ends a key has its value at `i ^ o`; the
/// value is where a text, which ends with a zero byte, starts.
struct CharacterMap: Sendable {
  private let units: [Unit]
  private let texts: [UInt8]

  /// Why bytes are not a table.
  struct Flaw: Error, Equatable {
    /// In bytes from the start of the table.
    let offset: Int
    let why: String
  }

  /// Accepts a table only if no input can lead out of it: the library follows links without looking at its size.
  init(_ table: some Collection<UInt8>) throws(Flaw) {
    let table = Array(table)
    guard table.count > 4 else { throw Flaw(offset: 0, why: "the normalisation table is cut short") }
    let trieSize = Int(Self.word(table, at: 0))
    guard trieSize % 4 == 0, trieSize > 0, trieSize < table.count - 4 else {
      throw Flaw(offset: 0, why: "the normalisation table gives a wrong size for its trie")
    }
    guard table.last == 0 else {
      throw Flaw(offset: table.count - 1, why: "the normalisation table's last text has no end")
    }
    units = stride(from: 4, to: 4 + trieSize, by: 4).map { Unit(bits: Self.word(table, at: $0)) }
    texts = Array(table[(4 + trieSize)...])
    for (index, unit) in units.enumerated() {
      // No byte of text matches a value; but the root is entered unseen.
      guard !unit.isValue || index == 0 else { continue }
      guard (index ^ unit.link) | 0xFF < units.count else {
        throw Flaw(offset: 4 + 4 * index, why: "a link leads out of the normalisation table")
      }
      guard unit.endsKey else { continue }
      let value = units[index ^ unit.link]
      guard value.isValue, value.value < texts.count else {
        throw Flaw(offset: 4 + 4 * index, why: "a text lies outside of the normalisation table")
      }
    }
  }

  private struct Unit: Sendable {
    let bits: UInt32
    var isValue: Bool { bits >> 31 == 1 }
    var value: Int { Int(bits & 0x7FFF_FFFF) }
    /// The byte that leads here; more than a byte for values.
    var label: UInt32 { bits & 0x8000_00FF }
    var endsKey: Bool { bits & 0x100 != 0 }
    /// Long links are stored shifted by eight bits.
    var link: Int { Int((bits >> 10) << ((bits & 0x200) >> 6)) }
  }

  private static func word(_ bytes: [UInt8], at offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
  }
}

extension CharacterMap {
  /// Replaces characters as the `tokenizers` library does: short ones, accents included, as a whole by what the table
  /// has for their beginning, and else scalar by scalar. (SentencePiece itself always takes the longest key.)
  func replacingCharacters(of text: String) -> String {
    var result: [UInt8] = []
    for character in text {
      if character.utf8.count < 6, let replacement = replacement(for: character.utf8) {
        result += replacement
      } else {
        for scalar in character.unicodeScalars {
          result += replacement(for: UTF8.encode(scalar).map(ArraySlice.init) ?? []) ?? ArraySlice(String(scalar).utf8)
        }
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// The text for the shortest key that `bytes` start with.
  private func replacement(for bytes: some Sequence<UInt8>) -> ArraySlice<UInt8>? {
    var index = units[0].link
    for byte in bytes where byte != 0 {
      index ^= Int(byte)
      guard units[index].label == UInt32(byte) else { return nil }
      let endsKey = units[index].endsKey
      index ^= units[index].link
      if endsKey { return texts[units[index].value...].prefix { $0 != 0 } }
    }
    return nil
  }
}
