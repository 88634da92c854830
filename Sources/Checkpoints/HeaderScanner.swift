/// Reads the JSON of a safetensors header: objects, strings, and lists of whole numbers, and nothing else.
///
/// Written for this grammar rather than for JSON at large because a general parser keeps the last of two equal names
/// without a word, descends as deep as a file tells it to, and needs many times the header's size in memory.
struct HeaderScanner {
  private let bytes: UnsafeRawBufferPointer
  private let path: String
  /// Offset of `bytes` in the file.
  private let origin: Int
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer, path: String, origin: Int) {
    self.bytes = bytes
    self.path = path
    self.origin = origin
  }

  /// Of the next byte, in the file.
  var offset: Int { origin + position }

  func failure(_ problem: SafetensorsError.Problem, at offset: Int? = nil) -> SafetensorsError {
    SafetensorsError(path: path, offset: offset ?? self.offset, problem: problem)
  }

  /// Reads `{"key": value, …}`; `member` gets the key with its offset and reads the value.
  mutating func object(
    _ member: (inout HeaderScanner, _ key: String, _ offset: Int) throws(SafetensorsError) -> Void
  ) throws(SafetensorsError) {
    try expect("{", "an object")
    if take("}") { return }
    repeat {
      skipSpace()
      let start = offset
      let key = try string()
      try expect(":", "':'")
      try member(&self, key, start)
    } while take(",")
    try expect("}", "',' or '}'")
  }

  /// Reads a list of at most `limit` whole numbers from 0 to `Int.max`.
  mutating func naturals(
    upTo limit: Int, orFail problem: @autoclosure () -> SafetensorsError.Problem
  ) throws(SafetensorsError) -> [Int] {
    try expect("[", "a list of whole numbers")
    if take("]") { return [] }
    var result: [Int] = []
    repeat {
      guard result.count < limit else { throw failure(problem()) }
      result.append(try natural())
    } while take(",")
    try expect("]", "',' or ']'")
    return result
  }

  private mutating func natural() throws(SafetensorsError) -> Int {
    skipSpace()
    let start = offset
    var value = 0
    var digits = 0
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
      let (tens, overflowsTens) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflows) = tens.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
      guard !overflowsTens, !overflows, digits == 0 || value > 0 else {
        throw failure(.syntax(expected: "a whole number from 0 to 2^63 - 1"), at: start)
      }
      value = sum
      digits += 1
      position += 1
    }
    // What follows must end the number: a fraction or exponent does not.
    guard digits > 0, let byte = next, !".eE".utf8.contains(byte) else {
      throw failure(.syntax(expected: "a whole number from 0 to 2^63 - 1"), at: start)
    }
    return value
  }

  /// Reads a string, resolving escapes; it must be valid UTF-8 without bare control characters.
  mutating func string() throws(SafetensorsError) -> String {
    try expect("\"", "a string")
    let start = position
    var isEscaped = false
    while let byte = next, byte != UInt8(ascii: "\"") {
      guard byte >= 0x20 else { throw failure(.invalidText("holds a bare control character")) }
      if byte == UInt8(ascii: "\\") {
        isEscaped = true
        position += 1
      }
      position += 1
    }
    guard position < bytes.count else {
      throw failure(.syntax(expected: "the end of a string"), at: origin + bytes.count)
    }
    let raw = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
    position += 1
    guard let text = String(validating: raw, as: UTF8.self) else {
      throw failure(.invalidText("is not UTF-8"), at: origin + start)
    }
    guard isEscaped else { return text }
    guard let resolved = Self.resolvingEscapes(text) else {
      throw failure(.invalidText("holds an invalid escape"), at: origin + start)
    }
    return resolved
  }

  /// Throws unless only white space is left.
  mutating func end() throws(SafetensorsError) {
    skipSpace()
    guard position == bytes.count else { throw failure(.syntax(expected: "nothing more")) }
  }
}

// MARK: - Characters

extension HeaderScanner {
  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar, _ what: String) throws(SafetensorsError) {
    guard take(character) else { throw failure(.syntax(expected: what)) }
  }

  /// JSON's escapes; nil if one is malformed or a surrogate stands alone.
  private static func resolvingEscapes(_ text: String) -> String? {
    let simple: [UInt16: UInt16] = [
      0x22: 0x22, 0x5C: 0x5C, 0x2F: 0x2F, 0x62: 0x08, 0x66: 0x0C, 0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09,
    ]
    var units: [UInt16] = []
    var rest = text.utf16[...]
    while let unit = rest.popFirst() {
      guard unit == 0x5C else {
        units.append(unit)
        continue
      }
      guard let kind = rest.popFirst() else { return nil }
      if let meaning = simple[kind] {
        units.append(meaning)
      } else {
        let digits = String(rest.prefix(4)) ?? ""
        guard kind == 0x75, digits.utf8.count == 4, digits.allSatisfy(\.isHexDigit),
          let value = UInt16(digits, radix: 16)
        else { return nil }
        units.append(value)
        rest = rest.dropFirst(4)
      }
    }
    return String(validating: units, as: UTF16.self)
  }
}
