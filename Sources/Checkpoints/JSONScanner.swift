import Runtime

/// Reads JSON (RFC 8259) token by token, without recursion: the caller says what it wants next.
///
/// Written here because a general parser keeps the last of two equal keys without a word, and because the header of a
/// file of weights deserves neither a tree in memory nor errors without a place.
struct JSONScanner {
  private let bytes: UnsafeRawBufferPointer
  /// Of the next byte.
  private(set) var offset = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// The first byte after white space, which is skipped; nil at the end.
  mutating func peek() -> UInt8? {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    return next
  }

  /// Takes one character, after white space; throws that `what` is expected if another one follows.
  mutating func take(_ character: Unicode.Scalar, _ what: String) throws(JSONError) {
    guard takeIfPresent(character) else { throw expected(what) }
  }

  /// Takes one of the words `true`, `false` and `null`.
  mutating func takeWord(_ word: StaticString) throws(JSONError) {
    for character in word.description.unicodeScalars {
      guard next == UInt8(ascii: character) else { throw expected("a value") }
      offset += 1
    }
  }

  /// Throws unless only white space is left.
  mutating func takeEnd() throws(JSONError) {
    guard peek() == nil else { throw expected("the end of the text") }
  }

  func expected(_ what: String, at offset: Int? = nil) -> JSONError {
    JSONError(offset: offset ?? self.offset, problem: .expected(what))
  }

  private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  private mutating func takeIfPresent(_ character: Unicode.Scalar) -> Bool {
    guard peek() == UInt8(ascii: character) else { return false }
    offset += 1
    return true
  }
}

/// Why a text is not JSON, or not the JSON it should be.
package struct JSONError: Error, Equatable {
  package enum Problem: Sendable, Equatable {
    case expected(String)
    case invalidText(String)
    case duplicateKey(String)
    case tooDeep(limit: Int)
    case tooManyValues(limit: Int)

    /// Goes on after the name of the text.
    var explanation: String {
      switch self {
      case .expected(let what): "needs \(what) here"
      case .invalidText(let why): "has a string that \(why)"
      case .duplicateKey(let key): "has the key '\(printable(key))' twice"
      case .tooDeep(let limit): "is nested deeper than \(limit) levels"
      case .tooManyValues(let limit): "has more than \(limit) values"
      }
    }
  }

  /// In bytes from the start of the text.
  package let offset: Int
  package let problem: Problem
}

// MARK: - Objects and lists

extension JSONScanner {
  /// A place inside of an object or a list.
  struct Sequence {
    fileprivate let end: Unicode.Scalar
    fileprivate var isAtStart = true
  }

  mutating func beginObject() throws(JSONError) -> Sequence {
    try take("{", "an object")
    return Sequence(end: "}")
  }

  /// The key of the next member of an object and its offset; its value comes next. nil at the object's end.
  mutating func nextKey(_ object: inout Sequence) throws(JSONError) -> (key: String, offset: Int)? {
    guard try hasNext(&object) else { return nil }
    _ = peek()
    let start = offset
    let key = try string()
    try take(":", "':'")
    return (key, start)
  }

  mutating func beginList() throws(JSONError) -> Sequence {
    try take("[", "a list")
    return Sequence(end: "]")
  }

  /// Whether an object or list goes on; the comma before or the bracket after has then been taken.
  mutating func hasNext(_ sequence: inout Sequence) throws(JSONError) -> Bool {
    if takeIfPresent(sequence.end) { return false }
    if !sequence.isAtStart { try take(",", "',' or '\(sequence.end)'") }
    sequence.isAtStart = false
    return true
  }
}

// MARK: - Numbers

extension JSONScanner {
  /// The text of a number.
  mutating func number() throws(JSONError) -> String {
    String(decoding: bytes[try numberRange()], as: UTF8.self)
  }

  private mutating func numberRange() throws(JSONError) -> Range<Int> {
    _ = peek()
    let start = offset
    if next == UInt8(ascii: "-") { offset += 1 }
    let first = next
    let whole = takeDigits()
    var isValid = whole > 0 && (whole == 1 || first != UInt8(ascii: "0"))
    if next == UInt8(ascii: ".") {
      offset += 1
      isValid = takeDigits() > 0 && isValid
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      offset += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { offset += 1 }
      isValid = takeDigits() > 0 && isValid
    }
    guard isValid else { throw expected("a number", at: start) }
    return start..<offset
  }

  /// A whole number from 0 to `Int.max`, written without a fraction or an exponent.
  mutating func natural() throws(JSONError) -> Int {
    _ = peek()
    let start = offset
    let digits = try numberRange()
    var value = 0
    for byte in bytes[digits] {
      let digit = Int(byte) - 0x30
      let (tens, tensOverflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, sumOverflow) = tens.addingReportingOverflow(digit)
      guard (0...9).contains(digit), !tensOverflow, !sumOverflow else {
        throw expected("a whole number from 0 to \(Int.max)", at: start)
      }
      value = sum
    }
    return value
  }

  private mutating func takeDigits() -> Int {
    let start = offset
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { offset += 1 }
    return offset - start
  }
}

// MARK: - Strings

extension JSONScanner {
  static let longestString = 16 << 20

  /// A string with its escapes resolved; it must be valid UTF-8 without bare control characters.
  mutating func string() throws(JSONError) -> String {
    try take("\"", "a string")
    let start = offset
    var isEscaped = false
    while let byte = next, byte != UInt8(ascii: "\"") {
      guard byte >= 0x20 else {
        throw JSONError(offset: offset, problem: .invalidText("holds a bare control character"))
      }
      if byte == UInt8(ascii: "\\") {
        isEscaped = true
        offset += 1
      }
      offset += 1
    }
    guard offset < bytes.count else { throw expected("the end of a string", at: bytes.count) }
    guard offset - start <= Self.longestString else {
      throw JSONError(offset: start, problem: .invalidText("is longer than \(Self.longestString) bytes"))
    }
    guard let text = String(validating: UnsafeRawBufferPointer(rebasing: bytes[start..<offset]), as: UTF8.self) else {
      throw JSONError(offset: start, problem: .invalidText("is not UTF-8"))
    }
    offset += 1
    guard isEscaped else { return text }
    guard let resolved = Self.resolvingEscapes(text) else {
      throw JSONError(offset: start, problem: .invalidText("holds an invalid escape"))
    }
    return resolved
  }

  /// nil if an escape is malformed or a surrogate stands alone.
  private static func resolvingEscapes(_ text: String) -> String? {
    let simple: [UInt16: UInt16] = [
      0x22: 0x22, 0x5C: 0x5C, 0x2F: 0x2F, 0x62: 0x08, 0x66: 0x0C, 0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09,
    ]
    let units = Array(text.utf16)
    var result: [UInt16] = []
    var index = 0
    while index < units.count {
      guard units[index] == 0x5C else {
        result.append(units[index])
        index += 1
        continue
      }
      guard index + 1 < units.count else { return nil }
      if let meaning = simple[units[index + 1]] {
        result.append(meaning)
        index += 2
      } else {
        guard units[index + 1] == 0x75, index + 6 <= units.count,
          let value = hexadecimal(units[index + 2..<index + 6])
        else { return nil }
        result.append(value)
        index += 6
      }
    }
    return String(validating: result, as: UTF16.self)
  }

  private static func hexadecimal(_ digits: ArraySlice<UInt16>) -> UInt16? {
    digits.reduce(0) { value, digit in
      let digit = Unicode.Scalar(digit).flatMap { Character($0).isASCII ? Character($0).hexDigitValue : nil }
      guard let value, let digit else { return nil }
      return value << 4 | UInt16(digit)
    }
  }
}
