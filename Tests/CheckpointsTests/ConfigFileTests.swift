import Foundation
import Runtime
import TestSupport
import Testing

@testable import Checkpoints

@Suite struct ConfigFileTests {
  private struct Config: ValidatedConfig, Equatable {
    struct Part: Codable, Equatable {
      var width: Int
    }

    var layers: Int
    var scale: Double
    var name: String?
    var flags: [Bool] = []
    var parts: [Part] = []

    func validate() throws(InvalidField) {
      guard layers > 0 else { throw InvalidField("layers", "must be positive, not \(layers)") }
    }
  }

  private let directory: TemporaryDirectory
  private var path: String { directory.file("config.json") }

  init() throws { directory = try TemporaryDirectory() }

  private func problem(_ text: String) throws -> ConfigError.Problem? {
    try directory.write(text, to: "config.json")
    do {
      _ = try ConfigFile.decode(Config.self, at: path)
      return nil
    } catch let error as ConfigError {
      #expect(error.message.hasPrefix(path) && !error.message.contains("\n"), "\(error.message)")
      return error.problem
    }
  }

  private static func json(_ layers: String = "2", more: String = "") -> String {
    #"{"layers":\#(layers),"scale":1,"flags":[],"parts":[]\#(more)}"#
  }

  @Test("a configuration is decoded; keys it does not know are allowed and can be listed") func decoding() throws {
    try directory.write(Self.json(more: #","_class_name":"Model","zebra":[[]],"alpha":{}"#), to: "config.json")
    let file = try ConfigFile(path: path)
    #expect(try file.decode(Config.self) == Config(layers: 2, scale: 1))
    #expect(file.className == "Model")
  }

  @Test(
    "a file without a class name has none", arguments: ["{}", "{\"_class_name\":1}", "{\"_class_name\":null}", "[]"])
  func noClassName(text: String) throws {
    try directory.write(text, to: "config.json")
    #expect(try ConfigFile(path: path).className == nil)
  }

  @Test("M09: a missing field is named") func missing() throws {
    #expect(try problem(#"{"scale":1,"flags":[],"parts":[]}"#) == .missing(field: "layers"))
    #expect(
      try problem(#"{"layers":1,"scale":1,"flags":[],"parts":[{"width":1},{}]}"#) == .missing(field: "parts[1].width"))
  }

  @Test("M09: a field of the wrong type is named with the type it needs") func wrongType() throws {
    #expect(try problem(Self.json("\"2\"")) == .wrongType(field: "layers", expected: "a whole number"))
    #expect(try problem(Self.json("null")) == .wrongType(field: "layers", expected: "a whole number"))
    #expect(try problem(Self.json("[]")) == .wrongType(field: "layers", expected: "a whole number"))
    #expect(
      try problem(#"{"layers":1,"scale":"x","flags":[],"parts":[]}"#)
        == .wrongType(field: "scale", expected: "a number"))
    #expect(try problem(Self.json(more: #","name":3"#)) == .wrongType(field: "name", expected: "text"))
    #expect(
      try problem(#"{"layers":1,"scale":1,"flags":[true,0],"parts":[]}"#)
        == .wrongType(field: "flags[1]", expected: "true or false"))
    #expect(
      try problem(#"{"layers":1,"scale":1,"flags":{},"parts":[]}"#) == .wrongType(field: "flags", expected: "a list"))
    #expect(
      try problem(#"{"layers":1,"scale":1,"flags":[],"parts":[1]}"#)
        == .wrongType(field: "parts[0]", expected: "an object"))
    #expect(try problem("[]") == .wrongType(field: "(whole file)", expected: "an object"))
  }

  @Test("M09: a number out of range is named", arguments: ["1e30", "9223372036854775808", "1.5", "-1e400"])
  func outOfRange(layers: String) throws {
    guard case .outOfRange(field: "layers", _) = try problem(Self.json(layers)) else {
      Issue.record("\(try problem(Self.json(layers)) as Any)")
      return
    }
  }

  @Test("M09: a value that the configuration itself refuses is named") func invalid() throws {
    #expect(try problem(Self.json("0")) == .invalid(field: "layers", why: "must be positive, not 0"))
  }

  @Test(
    "text that is not JSON is refused",
    arguments: [
      "", " ", "{", "{\"a\":}", "nonsense", "{} {}", "{\"a\":1,}", "[1 2]", "01", "1.", "+1", "tru", "NaN", "'a'",
      "\u{FEFF}",
    ])
  func notJSON(text: String) throws {
    guard case .notJSON = try problem(text) else {
      Issue.record("accepted")
      return
    }
  }

  @Test("bytes that are not UTF-8 are refused") func notUTF8() throws {
    try directory.write([0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D], to: "config.json")
    #expect(throws: ConfigError.self) { try ConfigFile.decode(Config.self, at: path) }
  }

  @Test("nesting to a depth of 100,000 is refused", arguments: ["[", "{\"a\":"]) func deepNesting(opening: String)
    throws
  {
    guard case .notJSON = try problem(String(repeating: opening, count: 100_000)) else {
      Issue.record("accepted")
      return
    }
    guard case .notJSON = try problem(#"{"layers":"# + String(repeating: opening, count: 100_000)) else {
      Issue.record("accepted")
      return
    }
  }

  @Test("a file of more than 1 MB is refused unread") func tooLarge() throws {
    let text = Self.json() + String(repeating: " ", count: 1 << 20)
    #expect(try problem(text) == .tooLarge(byteCount: text.utf8.count, limit: 1 << 20))
  }

  @Test("M13, M14: an LFS pointer or a web page is named as such") func otherFormats() throws {
    #expect(try problem("version https://git-lfs.github.com/spec/v1\n") == .otherFormat(.gitLFSPointer))
    #expect(try problem("<html>") == .otherFormat(.html))
  }

  @Test("a missing file is reported as missing") func missingFile() {
    #expect(throws: FileFailure(path: path, action: "open", code: ENOENT)) { try ConfigFile(path: path) }
  }
}
