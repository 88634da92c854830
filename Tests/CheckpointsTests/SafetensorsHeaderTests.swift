import Compute
import Foundation
import TestSupport
import Testing

@testable import Checkpoints

/// Broken and hostile files; the numbers are those of the catalogue of bad inputs.
@Suite struct SafetensorsHeaderTests {
  @Test("S01: an empty file is refused") func empty() throws {
    #expect(try problem([]) == .fileTooShort(byteCount: 0))
  }

  @Test("S02: a file that ends inside the header length is refused", arguments: 1...7) func tooShort(count: Int) throws
  {
    #expect(try problem(Array(repeating: 0, count: count)) == .fileTooShort(byteCount: count))
  }

  @Test("S03: a header longer than the file is refused") func headerBeyondFile() throws {
    #expect(try problem([3, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D]) == .headerBeyondFile(headerLength: 3, fileSize: 10))
  }

  @Test("S04: header lengths that overflow are refused", arguments: [.max, 1 << 63, 1 << 63 - 1, .max - 7] as [UInt64])
  func hugeLength(length: UInt64) throws {
    let bytes = withUnsafeBytes(of: length.littleEndian) { Array($0) } + [0x7B, 0x7D]
    #expect(try problem(bytes) == .headerTooLong(length))
  }

  @Test("S05: a header of more than 100 MB is refused unread") func longHeader() throws {
    let bytes = withUnsafeBytes(of: UInt64(100_000_001).littleEndian) { Array($0) } + [0x7B, 0x7D]
    #expect(try problem(bytes) == .headerTooLong(100_000_001))
  }

  @Test("S06: a header of length 0 is refused") func noHeader() throws {
    #expect(try problem(safetensors("")) == .header(.expected("an object")))
  }

  @Test("S07: an empty header without data is a valid file without tensors") func noTensors() throws {
    let directory = try TemporaryDirectory()
    let reader = try SafetensorsReader(path: directory.write(safetensors("{}"), to: "x.safetensors"))
    #expect(reader.names.isEmpty)
    #expect(reader.metadata.isEmpty)
  }

  @Test(
    "S08: a header that is not UTF-8 is refused",
    arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xC3]] as [[UInt8]])
  func notUTF8(bytes: [UInt8]) throws {
    let header = Array(#"{""#.utf8) + bytes + Array(#"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#.utf8)
    #expect(try problem(safetensors(header)) == .header(.invalidText("is not UTF-8")))
    #expect(try problem(safetensors(bytes)) == .header(.expected("an object")))
  }

  @Test(
    "S09: a header that is not an object is refused",
    arguments: ["[]", "1", "null", "\"a\"", "true", "x", "{", "{\"a\"", "{\"a\":", "{}{}", "{},", "{,}", "{'a':1}"])
  func notAnObject(header: String) throws {
    #expect(try problem(safetensors(header))?.isSyntax == true)
  }

  @Test("S10: nesting to a depth of 100,000 is refused", arguments: ["[", "{\"a\":", "{\"a\":{\"shape\":["])
  func deepNesting(opening: String) throws {
    let header = String(repeating: opening, count: 100_000)
    #expect(try problem(safetensors(header)) != nil)
    let metadata = #"{"__metadata__":"# + header
    #expect(try problem(safetensors(metadata)) != nil)
  }

  @Test("S11: a duplicate tensor name is refused") func duplicateName() throws {
    let header = "{" + member("a", "[1]", "[0,1]") + "," + member("a", "[1]", "[1,2]") + "}"
    #expect(try problem(safetensors(header, data: [1, 2])) == .header(.duplicateKey("a")))
    let escaped = "{" + member("a", "[1]", "[0,1]") + "," + member("\\u0061", "[1]", "[1,2]") + "}"
    #expect(try problem(safetensors(escaped, data: [1, 2])) == .header(.duplicateKey("a")))
    #expect(try problemOffset(safetensors(header, data: [1, 2])) == 8 + 1 + member("a", "[1]", "[0,1]").count + 1)
    #expect(
      try problem(safetensors(#"{"__metadata__":{},"__metadata__":{}}"#)) == .header(.duplicateKey("__metadata__")))
    #expect(try problem(safetensors(#"{"__metadata__":{"k":"1","k":"2"}}"#)) == .header(.duplicateKey("k")))
  }

  @Test("S12: offsets that end before they begin are refused") func reversedOffsets() throws {
    #expect(
      try problem(safetensors("{" + member("a", "[1]", "[1,0]") + "}", data: [1])) == .reversedOffsets(tensor: "a"))
  }

  @Test(
    "S13: offsets that are not whole numbers are refused",
    arguments: [
      "[-1,0]", "[0,1.0]", "[0,1e0]", "[0,\"1\"]", "[0,1e30]", "[0,null]", "[0,01]", "[0,+1]", "[0,0x1]", "[0]", "[]",
      "[0,1,1]", "0", "{}", "[0 1]", "[0,1", "[0,18446744073709551616]", "[0,9223372036854775808]", "[0,]", "[,1]",
    ])
  func invalidOffsets(offsets: String) throws {
    let header = "{" + member("a", "[1]", offsets) + "}"
    #expect(try problem(safetensors(header, data: [1]))?.isSyntax == true)
  }

  @Test("S14: a tensor that ends beyond the file is refused") func beyondFile() throws {
    let header = "{" + member("a", "[2]", "[0,2]") + "}"
    #expect(try problem(safetensors(header, data: [1])) == .beyondData(tensor: "a", end: 2, dataSize: 1))
    let huge = "{" + member("a", "[9223372036854775807]", "[0,9223372036854775807]") + "}"
    #expect(
      try problem(safetensors(huge, data: [1])) == .beyondData(tensor: "a", end: .max, dataSize: 1))
  }

  @Test("S15: overlapping tensors are refused") func overlap() throws {
    let header = "{" + member("a", "[2]", "[0,2]") + "," + member("b", "[2]", "[1,3]") + "}"
    #expect(try problem(safetensors(header, data: [1, 2, 3])) == .overlap(tensor: "b", with: "a"))
    let same = "{" + member("a", "[2]", "[0,2]") + "," + member("b", "[2]", "[0,2]") + "}"
    #expect(try problem(safetensors(same, data: [1, 2])) != nil)
  }

  @Test("S16: a hole between or before tensors is refused") func hole() throws {
    let between = "{" + member("a", "[1]", "[0,1]") + "," + member("b", "[1]", "[3,4]") + "}"
    #expect(try problem(safetensors(between, data: [1, 2, 3, 4])) == .hole(before: "b", byteCount: 2))
    let before = "{" + member("a", "[1]", "[1,2]") + "}"
    #expect(try problem(safetensors(before, data: [1, 2])) == .hole(before: "a", byteCount: 1))
    #expect(try problemOffset(safetensors(before, data: [1, 2])) == 8 + before.count)
  }

  @Test("S17: bytes after the last tensor are refused") func trailingBytes() throws {
    #expect(try problem(safetensors("{" + member("a", "[1]", "[0,1]") + "}", data: [1, 2, 3])) == .trailingBytes(2))
    #expect(try problem(safetensors("{}", data: [1])) == .trailingBytes(1))
  }

  @Test("S18: a size that does not fit shape and type is refused") func sizeMismatch() throws {
    let header = "{" + member("a", "[2]", "[0,7]", type: "F32") + "}"
    #expect(
      try problem(safetensors(header, data: Array(repeating: 0, count: 7)))
        == .sizeMismatch(tensor: "a", shape: "[2]", needed: 8, found: 7))
  }

  @Test(
    "S19: shapes whose size overflows are refused",
    arguments: [
      "[2,9223372036854775807]", "[4294967296,4294967296]", "[9223372036854775807,9223372036854775807]",
      "[9223372036854775807,2,0]", "[0,9223372036854775807,2]",
    ])
  func shapeOverflow(shape: String) throws {
    #expect(try problem(safetensors("{" + member("a", shape, "[0,0]") + "}")) == .shapeOverflow(tensor: "a"))
  }

  @Test(
    "S19: extents of 2^63 and more are refused", arguments: ["[2,9223372036854775808]", "[2,18446744073709551614]"])
  func extentOverflow(shape: String) throws {
    #expect(try problem(safetensors("{" + member("a", shape, "[0,0]") + "}"))?.isSyntax == true)
  }

  @Test("S20: extent 0 and rank 0 are valid, negative extents and rank 1000 are not") func extents() throws {
    let header = "{" + member("empty", "[3,0,2]", "[0,0]", type: "F32") + "," + member("scalar", "[]", "[0,1]") + "}"
    let directory = try TemporaryDirectory()
    let reader = try SafetensorsReader(path: directory.write(safetensors(header, data: [7]), to: "x.safetensors"))
    #expect(try reader.tensor(named: "empty").floats() == [])
    #expect(try reader.tensor(named: "scalar").integers() == [7])
    #expect(try problem(safetensors("{" + member("a", "[-1]", "[0,0]") + "}"))?.isSyntax == true)
    let ones = "[" + Array(repeating: "1", count: 1000).joined(separator: ",") + "]"
    #expect(
      try problem(safetensors("{" + member("a", ones, "[0,1]") + "}", data: [1]))
        == .tooManyDimensions(tensor: "a", limit: 64))
  }

  @Test(
    "S21: unknown element types are refused by name", arguments: ["F4", "F8_E8M0", "F8_E4M3", "U64", "f32", "", "C64"])
  func unknownType(type: String) throws {
    let header = "{" + member("a", "[1]", "[0,1]", type: type) + "}"
    #expect(try problem(safetensors(header, data: [1])) == .unknownElementType(tensor: "a", type: type))
  }

  @Test("S24: ten million tensors are refused quickly") func manyTensors() throws {
    // The header's length alone gives ten million away; fewer fit below its limit, and are counted.
    let length = withUnsafeBytes(of: UInt64(10_000_000 * 52).littleEndian) { Array($0) }
    #expect(try problem(length + Array("{".utf8)) == .headerTooLong(520_000_000))
    let header = "{" + (0...200_000).map { member("\($0)", "[0]", "[0,0]") }.joined(separator: ",") + "}"
    let bytes = safetensors(header)
    let start = ContinuousClock.now
    #expect(try problem(bytes) == .tooManyTensors(limit: 200_000))
    #expect(ContinuousClock.now - start < .seconds(2))
  }

  @Test(
    "S25: white space around the header is valid",
    arguments: [" ", "\n", "\t \r\n", String(repeating: " ", count: 500)])
  func whiteSpace(space: String) throws {
    let header =
      "\(space){\(space)\"a\"\(space):\(space){\"dtype\"\(space):\(space)\"U8\",\(space)\"shape\":[\(space)1\(space)]"
      + "\(space),\"data_offsets\":[0\(space),1]}\(space)}\(space)"
    #expect(try problem(safetensors(header, data: [1])) == nil)
    #expect(try problem(safetensors("{}\u{0}")) == .header(.expected("the end of the text")))
  }

  @Test(
    "S26: unusual names are kept as they are and are printed on one line",
    arguments: [
      ("a\\u0000b", "a\u{0}b"), ("line\\nbreak", "line\nbreak"), ("../../etc/passwd", "../../etc/passwd"),
      ("\\uD83D\\uDE00", "\u{1F600}"), ("\u{1F600}", "\u{1F600}"), ("", ""),
      ("\\\"\\\\\\/\\b\\f\\r\\t", "\"\\/\u{8}\u{C}\r\t"),
    ])
  func unusualNames(written: String, name: String) throws {
    let header = "{" + member(written, "[1]", "[0,1]") + "}"
    let directory = try TemporaryDirectory()
    let reader = try SafetensorsReader(path: directory.write(safetensors(header, data: [5]), to: "x.safetensors"))
    #expect(reader.names == [name])
    #expect(try reader.tensor(named: name).integers() == [5])
    // `problem` checks that the message has one line.
    #expect(try problem(safetensors(header)) == .beyondData(tensor: name, end: 1, dataSize: 0))
  }

  @Test("S26: a name of 1 MB is read, and cut in messages") func longName() throws {
    let name = String(repeating: "n", count: 1 << 20)
    let header = "{" + member(name, "[1]", "[0,1]") + "}"
    #expect(try problem(safetensors(header, data: [1])) == nil)
    #expect(SafetensorsError(path: "x", offset: 0, problem: .hole(before: name, byteCount: 1)).message.count < 400)
  }

  @Test(
    "S26: malformed escapes are refused",
    arguments: ["\\x", "\\u12", "\\u12G4", "\\uD83D", "\\uDE00\\uD83D", "\\u+123", "\\"])
  func malformedEscapes(name: String) throws {
    #expect(try problem(safetensors("{" + member(name, "[0]", "[0,0]") + "}")) != nil)
  }

  @Test("bare control characters in text are refused") func controlCharacters() throws {
    let header = "{" + member("a\nb", "[0]", "[0,0]") + "}"
    #expect(try problem(safetensors(header)) == .header(.invalidText("holds a bare control character")))
  }

  @Test(
    "S27: metadata other than an object of texts is refused",
    arguments: ["1", "[]", "null", "\"a\"", "{\"a\":1}", "{\"a\":{}}", "{\"a\":null}", "{1:\"a\"}"])
  func invalidMetadata(metadata: String) throws {
    #expect(try problem(safetensors("{\"__metadata__\":\(metadata)}"))?.isSyntax == true)
  }

  @Test("missing, repeated and unknown fields are refused") func fields() throws {
    #expect(
      try problem(safetensors(#"{"a":{"shape":[0],"data_offsets":[0,0]}}"#))
        == .missingField(tensor: "a", field: "dtype"))
    #expect(
      try problem(safetensors(#"{"a":{"dtype":"U8","data_offsets":[0,0]}}"#))
        == .missingField(tensor: "a", field: "shape"))
    #expect(
      try problem(safetensors(#"{"a":{"dtype":"U8","shape":[0]}}"#))
        == .missingField(tensor: "a", field: "data_offsets"))
    #expect(
      try problem(safetensors(#"{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#))
        == .header(.duplicateKey("dtype")))
    #expect(
      try problem(safetensors(#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"strides":[1]}}"#))
        == .unknownField(tensor: "a", field: "strides"))
  }
}

/// Files damaged at random places: each must open or be refused, and never end the process.
@Suite struct DamagedSafetensorsTests {
  private static func valid() -> (header: String, data: [UInt8]) {
    let header =
      #"{"__metadata__":{"format":"pt"},"# + member("block.0.weight", "[2,3]", "[0,24]", type: "F32") + ","
      + member("block.0.bias", "[4]", "[24,32]", type: "BF16") + "}   "
    return (header, Array(0..<32))
  }

  @Test("S28: a file cut at any 64th of its length is refused", arguments: 0..<64) func cut(part: Int) throws {
    let (header, data) = Self.valid()
    let bytes = safetensors(header, data: data)
    #expect(try problem(bytes) == nil)
    #expect(try problem(Array(bytes.prefix(bytes.count * part / 64))) != nil)
  }

  @Test("S29: one flipped bit in the header is refused or leaves a valid header, for 1,000 seeds") func flippedBits()
    throws
  {
    let (header, data) = Self.valid()
    let bytes = safetensors(header, data: data)
    let directory = try TemporaryDirectory()
    var generator = RandomGenerator(seed: 29)
    var opened = 0
    for _ in 0..<1000 {
      var damaged = bytes
      let bit = generator.drawIndex(below: 8 * (8 + header.utf8.count))
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      let path = try directory.write(damaged, to: "x.safetensors")
      guard let reader = try? SafetensorsReader(path: path) else { continue }
      opened += 1
      for name in reader.names { #expect(try reader.tensor(named: name).doubles().count <= 32) }
    }
    // Flips inside of names and of the padding go unnoticed; most others do not.
    #expect((1...600).contains(opened))
  }
}
