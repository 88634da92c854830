/// A JSON text as a tree.
package enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  /// As written, so that no digit is lost.
  case number(String)
  case string(String)
  case list([JSONValue])
  case object([String: JSONValue])

  /// Bounds on what a text can make us do.
  static let deepest = 64
  static let mostValues = 1_000_000

  /// Parses a whole text; two members of an object with the same key are refused.
  package init(_ bytes: UnsafeRawBufferPointer) throws(JSONError) {
    var scanner = JSONScanner(bytes)
    var count = 0
    self = try Self.parse(&scanner, depth: 0, count: &count)
    try scanner.takeEnd()
  }

  private static func parse(_ scanner: inout JSONScanner, depth: Int, count: inout Int) throws(JSONError) -> JSONValue {
    count += 1
    let first = scanner.peek()
    guard depth < deepest else { throw JSONError(offset: scanner.offset, problem: .tooDeep(limit: deepest)) }
    guard count <= mostValues else {
      throw JSONError(offset: scanner.offset, problem: .tooManyValues(limit: mostValues))
    }
    switch first {
    case UInt8(ascii: "{"):
      var members: [String: JSONValue] = [:]
      var object = try scanner.beginObject()
      while let (key, offset) = try scanner.nextKey(&object) {
        let value = try parse(&scanner, depth: depth + 1, count: &count)
        guard members.updateValue(value, forKey: key) == nil else {
          throw JSONError(offset: offset, problem: .duplicateKey(key))
        }
      }
      return .object(members)
    case UInt8(ascii: "["):
      var elements: [JSONValue] = []
      var list = try scanner.beginList()
      while try scanner.hasNext(&list) { elements.append(try parse(&scanner, depth: depth + 1, count: &count)) }
      return .list(elements)
    case UInt8(ascii: "\""): return .string(try scanner.string())
    case UInt8(ascii: "t"):
      try scanner.takeWord("true")
      return .bool(true)
    case UInt8(ascii: "f"):
      try scanner.takeWord("false")
      return .bool(false)
    case UInt8(ascii: "n"):
      try scanner.takeWord("null")
      return .null
    case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return .number(try scanner.number())
    default: throw scanner.expected("a value")
    }
  }
}
