import Checkpoints
import Foundation
import Runtime
import TestSupport
import Testing

@testable import Tokenizers

@Suite struct UMT5TokenizerTests {
  private struct Item: Decodable {
    let text: String
    let cleaned: String
    let ids: [Int32]
    let idsWithoutCleaning: [Int32]
    let ids16: [Int32]
    let mask16: [UInt8]
  }

  private static let directory = Fixtures.path("wan-tiny/checkpoint/tokenizer")

  private static func items() throws -> [Item] {
    try ConfigFile.decode([Item].self, at: Fixtures.path("tokenizer/umt5-expected.json"))
  }

  /// A copy of the fixture's directory, without its `tokenizer.json` or with another one.
  private func copy(tokenizerFile: String?) throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    for name in ["spiece.model", "tokenizer_config.json"] {
      try FileManager.default.copyItem(atPath: Self.directory + "/" + name, toPath: directory.file(name))
    }
    if let tokenizerFile { try directory.write(tokenizerFile, to: "tokenizer.json") }
    return directory
  }

  @Test("ids equal the published tokenizer's") func ids() throws {
    let tokenizer = try UMT5Tokenizer(directory: Self.directory)
    for item in try Self.items() {
      #expect(try tokenizer.encode(item.cleaned, maxLength: 512).ids.prefix(item.ids.count) == item.ids[...])
      #expect(try tokenizer.encode(item.text, maxLength: 512).ids.starts(with: item.idsWithoutCleaning))
      let short = try tokenizer.encode(item.cleaned, maxLength: 16)
      #expect(short.ids == item.ids16)
      #expect(short.attentionMask == item.mask16)
    }
  }

  @Test("without tokenizer.json the steps are those of its conversion") func converted() throws {
    let directory = try copy(tokenizerFile: nil)
    let tokenizer = try UMT5Tokenizer(directory: directory.path)
    for item in try Self.items() {
      #expect(try tokenizer.encode(item.text, maxLength: 512).ids.starts(with: item.idsWithoutCleaning))
    }
  }

  @Test("bytes are unknown, neighbours among them are one, and spelled-out byte pieces are themselves") func unknown()
    throws
  {
    let tokenizer = try UMT5Tokenizer(directory: Self.directory)
    #expect(try tokenizer.encodeUnpadded("\u{0}\u{1F600}") == [260, 3, 1])
    #expect(try tokenizer.encodeUnpadded("<0x41>b") == [260, 69, 309, 1])
    #expect(try tokenizer.encodeUnpadded("a<s>b") == [263, 2, 284, 1])
  }

  @Test("a spelled-out closing token gets another one") func spelledEnd() throws {
    #expect(try UMT5Tokenizer(directory: Self.directory).encodeUnpadded("a</s>") == [263, 1, 1])
  }

  @Test("settings of older files: spaces at the end count, and parts after the first get no space") func olderSteps()
    throws
  {
    let spaces = #"{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "}"#
    let older = try copy(
      tokenizerFile:
        #"{"normalizer":\#(spaces),"pre_tokenizer":{"type":"Metaspace","replacement":"▁","add_prefix_space":true}}"#)
    #expect(try UMT5Tokenizer(directory: older.path).encodeUnpadded("a  a ") == [263, 263, 260, 1])
    let first = try copy(
      tokenizerFile:
        #"{"normalizer":null,"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}}"#)
    #expect(try UMT5Tokenizer(directory: first.path).encodeUnpadded("a<pad>b") == [263, 0, 309, 1])
    let words = try copy(
      tokenizerFile: """
        {"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},
         {"type":"Metaspace","replacement":"▁"}]}}
        """)
    #expect(try UMT5Tokenizer(directory: words.path).encodeUnpadded(" a\t a ") == [263, 263, 1])
  }

  @Test(
    "M11: a tokenizer.json with malformed or unknown steps is refused",
    arguments: [
      "", "{}", "[]", #"{"pre_tokenizer":{"type":"ByteLevel"}}"#, #"{"pre_tokenizer":{"type":"Metaspace"}}"#,
      #"{"pre_tokenizer":{"type":"Metaspace","replacement":"_"}}"#,
      #"{"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"last"}}"#,
      #"{"pre_tokenizer":{"type":"Sequence","pretokenizers":[]}}"#,
      #"{"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Metaspace","replacement":"▁"}]}}"#,
      #"{"normalizer":{"type":"Lowercase"},"pre_tokenizer":{"type":"Metaspace","replacement":"▁"}}"#,
      #"{"normalizer":{"type":"Precompiled","precompiled_charsmap":"!"},"pre_tokenizer":{"type":"Metaspace","replacement":"▁"}}"#,
      #"{"normalizer":{"type":"Precompiled","precompiled_charsmap":"BAAAAAD//38A"},"pre_tokenizer":{"type":"Metaspace","replacement":"▁"}}"#,
      #"{"normalizer":{"type":"Replace","pattern":{"Regex":"(a+)+"},"content":""},"pre_tokenizer":{"type":"Metaspace","replacement":"▁"}}"#,
      #"{"added_tokens":[{"id":-1.5,"content":"x"}],"pre_tokenizer":{"type":"Metaspace","replacement":"▁"}}"#,
      #"{"added_tokens":[{"id":-1,"content":"x"}],"pre_tokenizer":{"type":"Metaspace","replacement":"▁"}}"#,
    ])
  func badFile(text: String) throws {
    let directory = try copy(tokenizerFile: text)
    #expect(throws: ConfigError.self) { try UMT5Tokenizer(directory: directory.path) }
  }

  @Test("M11: a tokenizer.json cut at any 16th of its length is refused", arguments: 0..<16) func cut(part: Int) throws
  {
    let whole = try String(contentsOfFile: Self.directory + "/tokenizer.json", encoding: .utf8)
    let directory = try copy(tokenizerFile: String(whole.prefix(whole.count * part / 16)))
    #expect(throws: ConfigError.self) { try UMT5Tokenizer(directory: directory.path) }
  }
}
