import Foundation

/// How CLIP's tokenizer tidies a text: repairs of the ftfy library with its standard settings, HTML references resolved,
/// runs of white space made one space, lower case.
///
/// Of ftfy's repairs one is missing: text that was decoded in a wrong encoding ("âœ”") is not guessed back.
enum CaptionCleaning {
  static func cleaned(_ text: String) -> String {
    var text = repaired(text)
    for _ in 0..<2 { text = HTMLEntities.unescaped(text) }
    return lowercased(collapsed(text))
  }

  // MARK: Repairs

  /// ftfy repairs line by line; from the first line with a `<` on, HTML references are taken for wanted.
  private static func repaired(_ text: String) -> String {
    var resolvesReferences = true
    var result = String.UnicodeScalarView()
    var rest = text.unicodeScalars[...]
    while !rest.isEmpty {
      let end = rest.firstIndex(of: "\n").map { rest.index(after: $0) } ?? rest.endIndex
      let line = String(rest[..<end])
      rest = rest[end...]
      if line.contains("<") { resolvesReferences = false }
      result.append(contentsOf: repairedLine(line, resolvesReferences: resolvesReferences).unicodeScalars)
    }
    return String(result)
  }

  private static func repairedLine(_ line: String, resolvesReferences: Bool) -> String {
    var line = line
    // Each round resolves one level of references at least, so the text gets shorter; the bound is for safety.
    for _ in 0..<64 {
      let before = line
      if resolvesReferences { line = HTMLEntities.unescaped(line, requiresEnd: true) }
      line = withoutControls(simplified(line)).precomposedStringWithCanonicalMapping
      if line.unicodeScalars.elementsEqual(before.unicodeScalars) { break }
    }
    return line
  }

  /// Curly quotes, ligatures, full-width and half-width forms, C1 controls and line breaks in their plain form.
  private static func simplified(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    var previous: Unicode.Scalar?
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x80...0x9F: result.append(HTMLEntities.windows1252[Int(scalar.value - 0x80)])
      case 0x2BC, 0x2018...0x201B: result.append("'")
      case 0x201C...0x201F: result.append("\"")
      case 0x0A where previous == "\r": break  // The carriage return has become this line feed.
      case 0x0D, 0x2028, 0x2029: result.append("\n")
      case 0x3000: result.append(" ")
      case 0xFF01...0xFFEF:
        result.append(contentsOf: String(scalar).precomposedStringWithCompatibilityMapping.unicodeScalars)
      default:
        if let letters = ligatures[scalar] {
          result.append(contentsOf: letters.unicodeScalars)
        } else {
          result.append(scalar)
        }
      }
      previous = scalar
    }
    return String(result)
  }

  private static let ligatures: [Unicode.Scalar: String] = [
    "Ĳ": "IJ", "ĳ": "ij", "ŉ": "'n", "Ǳ": "DZ", "ǲ": "Dz", "ǳ": "dz", "Ǆ": "DŽ", "ǅ": "Dž", "ǆ": "dž", "Ǉ": "LJ",
    "ǈ": "Lj", "ǉ": "lj", "Ǌ": "NJ", "ǋ": "Nj", "ǌ": "nj", "\u{FB00}": "ff", "\u{FB01}": "fi", "\u{FB02}": "fl",
    "\u{FB03}": "ffi", "\u{FB04}": "ffl", "\u{FB05}": "ſt", "\u{FB06}": "st",
  ]

  /// Without colour codes of terminals (ESC [ numbers letter), and without characters that control nothing any more.
  private static func withoutControls(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    var rest = text.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      switch scalar.value {
      case 0x1B where rest.first == "[":
        let tail = rest.dropFirst().drop { ("0"..."9").contains($0) || $0 == ";" }
        let letter = tail.first.map { ("a"..."z").contains($0) || ("A"..."Z").contains($0) } ?? false
        if letter { rest = tail.dropFirst() }
      case 0x00...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x206A...0x206F, 0xFEFF, 0xFFF9...0xFFFC: break
      default: result.append(scalar)
      }
    }
    return String(result)
  }

  // MARK: White space and case

  /// One space for each run of white space, none at the ends.
  private static func collapsed(_ text: String) -> String {
    text.unicodeScalars.split { $0.properties.isWhitespace || (0x1C...0x1F).contains($0.value) }
      .map { String($0) }.joined(separator: " ")
  }

  /// Lower case by the rules of Unicode, with the other form of sigma at the end of a word.
  private static func lowercased(_ text: String) -> String {
    let scalars = Array(text.unicodeScalars)
    var result = ""
    for (index, scalar) in scalars.enumerated() {
      guard scalar == "Σ" else {
        result += scalar.properties.lowercaseMapping
        continue
      }
      func isLetter(_ scalars: some Sequence<Unicode.Scalar>) -> Bool {
        scalars.first { !$0.properties.isCaseIgnorable }?.properties.isCased ?? false
      }
      let endsWord = isLetter(scalars[..<index].reversed()) && !isLetter(scalars[(index + 1)...])
      result += endsWord ? "ς" : "σ"
    }
    return result
  }
}
