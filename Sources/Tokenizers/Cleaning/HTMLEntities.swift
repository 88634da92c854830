/// Character references of HTML5, resolved as Python's `html.unescape` does it.
enum HTMLEntities {
  private struct Entity {
    let text: Scalars
    /// Whether the name is known without a semicolon too.
    let isLegacy: Bool
  }

  private static let entities: [Scalars: Entity] = {
    var entities: [Scalars: Entity] = [:]
    for entry in htmlEntityTable.split(whereSeparator: \.isWhitespace) {
      let isLegacy = entry.contains("!")
      let parts = entry.split { $0 == "!" || $0 == ":" }
      let text = parts[1].split(separator: ",").compactMap { UInt32($0, radix: 16).flatMap(Unicode.Scalar.init) }
      entities[Scalars(parts[0].unicodeScalars)] = Entity(text: text, isLegacy: isLegacy)
    }
    return entities
  }()

  /// The text of a name that a semicolon follows.
  static func text(named name: Scalars) -> Scalars? { entities[name]?.text }

  /// Replaces all references, also those that browsers tolerate: without a semicolon, or with the numbers of
  /// Windows-1252.
  static func unescaped(_ text: Scalars) -> Scalars {
    text.replacing { text[$0] == "&" ? reference(text, at: $0 + 1) : nil }
  }

  /// The reference whose name or number starts at a place, and where the text goes on.
  private static func reference(_ text: Scalars, at start: Int) -> (text: Scalars, end: Int)? {
    func end(from start: Int, limit: Int = .max, _ belongs: (Unicode.Scalar) -> Bool) -> Int {
      var end = start
      while end < text.count, end - start < limit, belongs(text[end]) { end += 1 }
      return end
    }
    func afterSemicolon(_ end: Int) -> Int { end < text.count && text[end] == ";" ? end + 1 : end }

    if start < text.count, text[start] == "#" {
      let isHexadecimal = start + 1 < text.count && (text[start + 1] == "x" || text[start + 1] == "X")
      let first = start + (isHexadecimal ? 2 : 1)
      let last = end(from: first) { isHexadecimal ? $0.isASCIIHexDigit : $0.isASCIIDigit }
      guard last > first else { return nil }
      return (character(text[first..<last], radix: isHexadecimal ? 16 : 10), afterSemicolon(last))
    }
    let last = end(from: start, limit: 32) { !"\t\n\u{C} <&#;".unicodeScalars.contains($0) }
    guard last > start else { return nil }
    let name = Array(text[start..<last])
    if afterSemicolon(last) > last, let entity = entities[name] { return (entity.text, last + 1) }
    // The longest beginning that is a name by itself; names have two letters at least.
    for length in stride(from: name.count, through: 2, by: -1) {
      if let entity = entities[Array(name.prefix(length))], entity.isLegacy { return (entity.text, start + length) }
    }
    return (["&"] + name, last)
  }

  /// A character by its number, as browsers read numbers that no character has.
  private static func character(_ digits: ArraySlice<Unicode.Scalar>, radix: UInt32) -> Scalars {
    var number: UInt32 = 0
    for digit in digits {
      let value = UInt32(digit.properties.numericType == nil ? (digit.value | 0x20) - 87 : digit.value - 48)
      number = min(number * radix + value, 0x11_0000)
    }
    switch number {
    case 0: return ["\u{FFFD}"]
    case 0x0D: return ["\r"]
    case 0x80...0x9F: return [SingleByteEncoding.windows1252.upperHalf[Int(number) - 128]]
    case 0x1...0x8, 0xB, 0xE...0x1F, 0x7F, 0xFDD0...0xFDEF: return []
    default:
      guard let scalar = Unicode.Scalar(number) else { return ["\u{FFFD}"] }
      return number & 0xFFFE == 0xFFFE ? [] : [scalar]
    }
  }
}

extension Unicode.Scalar {
  var isASCIIDigit: Bool { ("0"..."9").contains(self) }
  var isASCIILetter: Bool { ("a"..."z").contains(self) || ("A"..."Z").contains(self) }
  var isASCIIHexDigit: Bool { isASCIIDigit || ("a"..."f").contains(self) || ("A"..."F").contains(self) }
}
