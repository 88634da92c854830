/// Text that came to be when UTF-8 was read in a single-byte encoding: "schÃ¶n" for "schön".
///
/// Follows ftfy 6.3's `fix_encoding` (Robyn Speer), which published pipelines apply to prompts, step by step.
enum Mojibake {
  /// Undoes misreadings, also repeated ones; text without signs of them stays as it is.
  static func repaired(_ text: Scalars) -> Scalars {
    var text = text
    while true {
      let next = repairedOnce(text)
      if next == text { return text }
      text = next
    }
  }

  private static func repairedOnce(_ text: Scalars) -> Scalars {
    guard !text.allSatisfy(\.isASCII), MojibakeSigns.occur(in: text) else { return text }
    for (encoding, isMacRoman) in SingleByteEncoding.misreadings {
      guard var bytes = encoding.encoded(text) else { continue }
      // In MacRoman the sequences would be an en dash and a space.
      if !isMacRoman { bytes = restoringNoBreakSpaces(bytes) }
      if encoding.hasReplacement { bytes = markingLosses(bytes) }
      if let decoded = decodedUTF8(bytes) { return decoded }
    }
    let repaired = repairedInParts(text)
    if repaired != text { return repaired }
    if let decoded = windows1252(text), decoded != text { return decoded }
    return text.map { isC1($0) ? SingleByteEncoding.windows1252.upperHalf[Int($0.value) - 128] : $0 }
  }

  private static func isC1(_ scalar: Unicode.Scalar) -> Bool { (0x80...0x9F).contains(scalar.value) }

  /// Latin-1 read as Windows-1252; nil if it holds characters or bytes that either lacks.
  private static func windows1252(_ text: Scalars) -> Scalars? {
    guard let bytes = SingleByteEncoding.latin1.encoded(text) else { return nil }
    let upper = SingleByteEncoding.windows1252.upperHalf
    let decoded = bytes.map { $0 < 128 ? Unicode.Scalar($0) : upper[Int($0) - 128] }
    return decoded.contains(where: isC1) ? nil : decoded
  }

  // MARK: - Parts of a text

  // What the bytes of UTF-8 look like in the encodings above.
  private static let firstOfTwo: ScalarSet = "Â-ßĀĂĆČĎĐĒĖĘĚĞĢĪİĶĹĻŁŃŅŇŌŐŘŚŞŠŢŪŮŰŲŹŻŽΒ-ΡΣ-ίВ-Я"
  private static let firstOfThree: ScalarSet = "à-ïāăąćčďēėęěģīįķĺļŕźΰ-οа-п"
  private static let firstOfFour: ScalarSet = "ðóđğšπσру"
  private static let unmistakable: ScalarSet =
    "\u{80}-¿ÆØæøĄąĽľŁłŒœŖŗŚśŞ-šŤťŸ-žƒˆˇ˘˛˜˝΄΅ΆΈΉΊΌΎΏЁ-ЌЎЏё-ќўџҐґ†‡‰‹›€№™"
  private static let continuation = ScalarSet(unmistakable, " –—―‘’‚“”„•…")
  private static let sequences = [
    ScalarPattern(firstOfTwo, continuation), ScalarPattern(firstOfThree, continuation, continuation),
    ScalarPattern(firstOfFour, continuation, continuation, continuation),
  ]

  /// Repairs runs that look like UTF-8 in a text that is not misread as a whole.
  private static func repairedInParts(_ text: Scalars) -> Scalars {
    var result: Scalars = []
    var index = 0
    while index < text.count {
      var end = index
      // Not in the middle of a longer run, which would become worse.
      if index == 0 || !unmistakable.contains(text[index - 1]) {
        while let sequence = sequences.first(matching: text, at: end) { end += sequence.length }
      }
      guard end > index else {
        result.append(text[index])
        index += 1
        continue
      }
      let part = Array(text[index..<end])
      // A whole text is not repaired again, or there would be no end.
      result += part.count < text.count && MojibakeSigns.occur(in: part) ? repaired(part) : part
      index = end
    }
    return result
  }

  // MARK: - Bytes

  private static let alteredSequences = [
    ScalarPattern("ÂÃÅÎÐÙ", " "), ScalarPattern("âã", " ", "\u{80}-\u{84}\u{86}-\u{9F}¡-¿"),
    ScalarPattern("à-ã", "\u{80}-\u{84}\u{86}-\u{9F}¡-¿", " "), ScalarPattern("ð", " ", "\u{80}-¿", "\u{80}-¿"),
    ScalarPattern("ð", "\u{80}-¿", " ", "\u{80}-¿"), ScalarPattern("ð", "\u{80}-¿", "\u{80}-¿", " "),
  ]

  /// Takes spaces within UTF-8 sequences for the byte A0, which programs replace by them.
  private static func restoringNoBreakSpaces(_ bytes: [UInt8]) -> [UInt8] {
    var text = bytes.map { Unicode.Scalar($0) }
    guard text.indices.contains(where: { alteredSequences.first(matching: text, at: $0) != nil }) else { return bytes }
    text = replacing(in: text, isWordWithGrave) { _ in ["Ã", "\u{A0}", " "] }
    text = replacing(in: text, { alteredSequences.first(matching: $0, at: $1)?.length }) { sequence in
      sequence.map { $0 == " " ? "\u{A0}" : $0 }
    }
    return text.map { UInt8($0.value) }
  }

  /// "Ã " where it stands for the word "à": not before another space, and not in Portuguese words that begin with it.
  private static func isWordWithGrave(_ text: Scalars, at start: Int) -> Int? {
    guard ScalarPattern(exactly: "Ã ").matches(text, at: start) else { return nil }
    let others = [" ", "quele", "quela", "quilo", "s "].map(ScalarPattern.init(exactly:))
    return others.first(matching: text, at: start + 2) == nil ? 2 : nil
  }

  private static let lossySequences: [ScalarPattern] = [
    ScalarPattern("Â-ß", "\u{1A}"), ScalarPattern("ÂÃ", "?"),
    ScalarPattern("í", "\u{A0}-¯", "\u{1A}?", "í", "°-¿", "\u{1A}?\u{80}-¿"),
    ScalarPattern("í", "\u{A0}-¯", "\u{1A}?\u{80}-¿", "í", "°-¿", "\u{1A}?"),
    ScalarPattern("à-ï", "\u{1A}?", "\u{1A}\u{80}-¿"), ScalarPattern("à-ï", "\u{1A}\u{80}-¿", "\u{1A}?"),
    ScalarPattern("ð-ô", "\u{1A}?", "\u{1A}\u{80}-¿", "\u{1A}\u{80}-¿"),
    ScalarPattern("ð-ô", "\u{1A}\u{80}-¿", "\u{1A}?", "\u{1A}\u{80}-¿"),
    ScalarPattern("ð-ô", "\u{1A}\u{80}-¿", "\u{1A}\u{80}-¿", "\u{1A}?"), ScalarPattern("\u{1A}"),
  ]

  /// Puts the replacement character for UTF-8 sequences of which a byte is lost.
  private static func markingLosses(_ bytes: [UInt8]) -> [UInt8] {
    let text = bytes.map { Unicode.Scalar($0) }
    // The bytes of U+FFFD.
    return replacing(in: text, { lossySequences.first(matching: $0, at: $1)?.length }) { _ in ["ï", "¿", "½"] }
      .map { UInt8($0.value) }
  }

  /// Replaces matches from left to right.
  ///
  /// - Parameter length: the length of the match at a place, nil if there is none.
  private static func replacing(
    in text: Scalars, _ length: (Scalars, Int) -> Int?, with replacement: (ArraySlice<Unicode.Scalar>) -> Scalars
  ) -> Scalars {
    var result: Scalars = []
    var index = 0
    while index < text.count {
      if let count = length(text, index) {
        result += replacement(text[index..<index + count])
        index += count
      } else {
        result.append(text[index])
        index += 1
      }
    }
    return result
  }

  /// Strict UTF-8, but also pairs of encoded surrogates (CESU-8) and a null of two bytes (Java).
  private static func decodedUTF8(_ bytes: [UInt8]) -> Scalars? {
    var plain: [UInt8] = []
    var index = 0
    while index < bytes.count {
      let rest = bytes[index...]
      if rest.starts(with: [0xC0, 0x80]) {
        plain.append(0)
        index += 2
      } else if let scalar = surrogatePair(rest) {
        plain += Array(String(scalar).utf8)
        index += 6
      } else {
        plain.append(bytes[index])
        index += 1
      }
    }
    return String(validating: plain, as: UTF8.self).map { Scalars($0.unicodeScalars) }
  }

  private static func surrogatePair(_ bytes: ArraySlice<UInt8>) -> Unicode.Scalar? {
    let six = Array(bytes.prefix(6))
    guard six.count == 6, six[0] == 0xED, (0xA0...0xAF).contains(six[1]), (0x80...0xBF).contains(six[2]),
      six[3] == 0xED, (0xB0...0xBF).contains(six[4]), (0x80...0xBF).contains(six[5])
    else { return nil }
    let high = UInt32(six[1] & 0x0F) << 16 + UInt32(six[2] & 0x3F) << 10
    return Unicode.Scalar(0x10000 + high + UInt32(six[4] & 0x0F) << 6 + UInt32(six[5] & 0x3F))
  }
}
