import Foundation

/// Repairs glitches of text: ftfy 6.3's `fix_text` (Robyn Speer) with its default settings.
///
/// HTML entities, mojibake, ligatures, full-width letters, curly quotes, line breaks, terminal escapes and control
/// characters, then Unicode normalisation NFC; again until nothing changes. Swift strings hold no lone surrogates, so
/// that step has nothing to do.
enum TextRepair {
  /// Lines are repaired one by one.
  static func repaired(_ text: Scalars) -> Scalars {
    var result: Scalars = []
    var isMarkup = false
    var start = 0
    while start < text.count {
      let end = text[start...].firstIndex(of: "\n").map { $0 + 1 } ?? text.count
      let line = Array(text[start..<end])
      // Once a tag is seen, entities are markup in the rest of the text.
      isMarkup = isMarkup || line.contains("<")
      result += repaired(line: line, isMarkup: isMarkup)
      start = end
    }
    return result
  }

  private static func repaired(line: Scalars, isMarkup: Bool) -> Scalars {
    var text = line
    while true {
      var next = isMarkup ? text : resolvingEntities(text)
      next = Mojibake.repaired(next)
      next = next.flatMap { simplified($0) }
      next = withUnixLineBreaks(next)
      next = withoutTerminalEscapes(next)
      next.removeAll(where: isControl)
      next = normalized(next)
      if next == text { return text }
      text = next
    }
  }

  // MARK: - Entities

  /// Resolves references with a semicolon, also names in capitals: "&EACUTE;".
  private static func resolvingEntities(_ text: Scalars) -> Scalars {
    text.replacing { entity(text, at: $0) }
  }

  private static func entity(_ text: Scalars, at start: Int) -> (text: Scalars, end: Int)? {
    guard text[start] == "&" else { return nil }
    let isNumber = start + 1 < text.count && text[start + 1] == "#"
    let first = start + (isNumber ? 2 : 1)
    let last = text[first...].prefix(25).firstIndex { !$0.isASCIIDigit && !$0.isASCIILetter } ?? text.count
    guard last > first, last < text.count, text[last] == ";" else { return nil }
    let reference = Array(text[start...last])
    if isNumber {
      // Not if only a part of it is a number.
      let character = HTMLEntities.unescaped(reference)
      return character.contains(";") ? nil : (character, last + 1)
    }
    let name = Array(text[first..<last])
    if let known = HTMLEntities.text(named: name) { return (known, last + 1) }
    let lower = name.map { ("A"..."Z").contains($0) ? Unicode.Scalar(UInt8($0.value | 0x20)) : $0 }
    guard !name.contains(where: { ("a"..."z").contains($0) }), let known = HTMLEntities.text(named: lower),
      HTMLEntities.unescaped(reference) == reference
    else { return nil }
    return (known.flatMap { Scalars($0.properties.uppercaseMapping.unicodeScalars) }, last + 1)
  }

  // MARK: - Characters

  private static let ligatures: [Unicode.Scalar: String] = [
    "Ĳ": "IJ", "ĳ": "ij", "ŉ": "ʼn", "Ǳ": "DZ", "ǲ": "Dz", "ǳ": "dz", "Ǆ": "DŽ", "ǅ": "Dž", "ǆ": "dž", "Ǉ": "LJ",
    "ǈ": "Lj", "ǉ": "lj", "Ǌ": "NJ", "ǋ": "Nj", "ǌ": "nj", "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl",
    "ﬅ": "ſt", "ﬆ": "st",
  ]

  /// Ligatures of Latin letters apart, usual widths, straight quotes.
  private static func simplified(_ scalar: Unicode.Scalar) -> Scalars {
    if scalar.isASCII { return [scalar] }
    let parts = ligatures[scalar].map { Scalars($0.unicodeScalars) } ?? [scalar]
    return parts.flatMap { withUsualWidth($0) }.map { straightened($0) }
  }

  private static func withUsualWidth(_ scalar: Unicode.Scalar) -> Scalars {
    switch scalar.value {
    case 0x3000: [" "]
    case 0xFF01...0xFFEF: Scalars(String(scalar).precomposedStringWithCompatibilityMapping.unicodeScalars)
    default: [scalar]
    }
  }

  private static func straightened(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    switch scalar.value {
    case 0x02BC, 0x2018...0x201B: "'"
    case 0x201C...0x201F: "\""
    default: scalar
    }
  }

  private static func withUnixLineBreaks(_ text: Scalars) -> Scalars {
    text.enumerated().compactMap { index, scalar in
      switch scalar {
      case "\r": index + 1 < text.count && text[index + 1] == "\n" ? nil : "\n"
      case "\u{2028}", "\u{2029}", "\u{85}": "\n"
      default: scalar
      }
    }
  }

  /// Leaves out codes that colour text in terminals: escape, bracket, numbers, letter.
  private static func withoutTerminalEscapes(_ text: Scalars) -> Scalars {
    var result: Scalars = []
    var index = 0
    while index < text.count {
      if text[index] == "\u{1B}", index + 1 < text.count, text[index + 1] == "[" {
        let end = text[(index + 2)...].firstIndex { $0 != ";" && $0.properties.generalCategory != .decimalNumber }
        if let end, text[end].isASCIILetter {
          index = end + 1
          continue
        }
      }
      result.append(text[index])
      index += 1
    }
    return result
  }

  /// Control characters that show nothing, deprecated and annotation marks, and the byte-order mark.
  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x00...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x206A...0x206F, 0xFEFF, 0xFFF9...0xFFFC: true
    default: false
    }
  }

  private static func normalized(_ text: Scalars) -> Scalars {
    if text.allSatisfy(\.isASCII) { return text }
    return Scalars(String(String.UnicodeScalarView(text)).precomposedStringWithCanonicalMapping.unicodeScalars)
  }
}
