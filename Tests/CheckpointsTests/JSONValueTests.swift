import Testing

@testable import Checkpoints

@Suite struct JSONValueTests {
  private func parse(_ text: String) throws -> JSONValue {
    try Array(text.utf8).withUnsafeBytes { try JSONValue($0) }
  }

  private func problem(_ text: String) -> JSONError? {
    do {
      _ = try parse(text)
      return nil
    } catch {
      return error as? JSONError
    }
  }

  @Test("every kind of value is parsed") func values() throws {
    #expect(
      try parse(#" {"a": [null, true, false, -0.5e+3, "x\u00e9\ud83d\ude00\n"], "b": {}, "": []} "#)
        == .object([
          "a": .list([.null, .bool(true), .bool(false), .number("-0.5e+3"), .string("x\u{E9}\u{1F600}\n")]),
          "b": .object([:]), "": .list([]),
        ]))
  }

  @Test(
    "numbers keep their digits",
    arguments: ["0", "-0", "12", "0.10", "1e5", "1E-5", "-1.5e+10", "123456789012345678901"])
  func numbers(text: String) throws {
    #expect(try parse(text) == .number(text))
  }

  @Test("malformed numbers are refused at their start", arguments: ["01", "-", "1.", "1.e1", "1e", "1e+", "-01", "00"])
  func malformedNumbers(text: String) {
    #expect(problem("[ " + text + "]") == JSONError(offset: 2, problem: .expected("a number")))
  }

  @Test(
    "malformed texts are refused at the byte where they go wrong",
    arguments: [
      ("", 0, "a value"), ("[1 2]", 3, "',' or ']'"), ("[1,]", 3, "a value"), ("{\"a\" 1}", 5, "':'"),
      ("{\"a\":1,}", 7, "a string"), ("{a:1}", 1, "a string"), ("truf", 3, "a value"),
      ("[] []", 3, "the end of the text"),
      ("\"abc", 4, "the end of a string"), ("\"abc\\", 5, "the end of a string"), ("{", 1, "a string"),
      (".5", 0, "a value"),
    ])
  func malformed(text: String, offset: Int, expected: String) {
    #expect(problem(text) == JSONError(offset: offset, problem: .expected(expected)))
  }

  @Test("a repeated key is refused at its second place") func repeatedKey() {
    #expect(problem(#"{"a":1,"a":2}"#) == JSONError(offset: 7, problem: .duplicateKey("a")))
  }

  @Test("depth and number of values are bounded") func bounds() throws {
    let deepest = JSONValue.deepest
    #expect(problem(String(repeating: "[", count: deepest) + String(repeating: "]", count: deepest)) == nil)
    #expect(problem(String(repeating: "[", count: deepest + 1))?.problem == .tooDeep(limit: deepest))
    let long = "\"" + String(repeating: "x", count: JSONScanner.longestString + 1) + "\""
    #expect(problem(long)?.problem == .invalidText("is longer than 16777216 bytes"))
    let many = "[" + String(repeating: "1,", count: JSONValue.mostValues) + "1]"
    #expect(problem(many)?.problem == .tooManyValues(limit: JSONValue.mostValues))
  }
}

@Suite struct JSONValueDecoderTests {
  private enum Kind: String, Decodable { case small, large }

  private struct Sample: Decodable, Equatable {
    var size: Int
    var small: UInt8?
    var ratio: Float
    var wide: Double
    var kind: Kind
    var pairs: [[Int]]
    var byNumber: [Int: String]
    var optional: [Int?]
  }

  private func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
    let value = try Array(text.utf8).withUnsafeBytes { try JSONValue($0) }
    return try JSONValueDecoder(value).decode(type)
  }

  @Test("nested types, optionals, enumerations and dictionaries are decoded") func decoding() throws {
    let sample = try decode(
      Sample.self,
      """
      {"size": 2.0, "small": null, "ratio": 0.5, "wide": 1, "kind": "large", "pairs": [[1, 2], []],
       "byNumber": {"7": "x"}, "optional": [1, null, 3]}
      """)
    #expect(
      sample
        == Sample(
          size: 2, small: nil, ratio: 0.5, wide: 1, kind: .large, pairs: [[1, 2], []], byNumber: [7: "x"],
          optional: [1, nil, 3]))
  }

  @Test("integers are exact up to their limits and refused beyond") func integers() throws {
    #expect(try decode(Int.self, "9223372036854775807") == .max)
    #expect(try decode(Int.self, "-9223372036854775808") == .min)
    #expect(try decode(UInt64.self, "18446744073709551615") == .max)
    #expect(try decode(Int.self, "1e3") == 1000)
    for text in ["9223372036854775808", "0.5", "1e19", "-1e400"] {
      #expect(throws: DecodingError.self) { try decode(Int.self, text) }
    }
    #expect(throws: DecodingError.self) { try decode(UInt8.self, "256") }
    #expect(throws: DecodingError.self) { try decode(UInt.self, "-1") }
  }

  @Test("floating-point numbers that overflow are refused") func floats() throws {
    #expect(try decode(Float.self, "1e-60") == 0)
    #expect(throws: DecodingError.self) { try decode(Float.self, "1e39") }
    #expect(throws: DecodingError.self) { try decode(Double.self, "1e400") }
  }

  @Test("numbers, truth values and texts are not taken for each other") func kinds() {
    #expect(throws: DecodingError.self) { try decode(Bool.self, "1") }
    #expect(throws: DecodingError.self) { try decode(Int.self, "true") }
    #expect(throws: DecodingError.self) { try decode(String.self, "1") }
    #expect(throws: DecodingError.self) { try decode(Double.self, "\"1\"") }
    #expect(throws: DecodingError.self) { try decode(Kind.self, "\"medium\"") }
  }
}
