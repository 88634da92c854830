import Checkpoints
import Foundation
import TestSupport
import Testing

@testable import Tokenizers

@Suite struct T5TokenizerTests {
  private struct Item: Decodable {
    let text: String
    let tokens: [String]
    let ids: [Int32]
  }

  private static let directory = Fixtures.path("cogvideox-tiny/checkpoint/tokenizer")

  private static func items() throws -> [Item] {
    try ConfigFile.decode([Item].self, at: Fixtures.path("tokenizer/t5-expected.json"))
  }

  @Test("tokens and ids equal the published tokenizer's") func tokens() throws {
    let tokenizer = try T5Tokenizer(directory: Self.directory)
    for item in try Self.items() {
      #expect(try tokenizer.tokens(of: item.text) == item.tokens)
      #expect(try tokenizer.encodeUnpadded(item.text) == item.ids)
    }
  }

  @Test("padded and cut sequences equal the published tokenizer's", arguments: [16, 226])
  func padding(length: Int) throws {
    let tokenizer = try T5Tokenizer(directory: Self.directory)
    let expected = try SafetensorsReader(path: Fixtures.path("tokenizer/t5-expected.safetensors"))
    for (index, item) in try Self.items().enumerated() {
      let suffix = (index < 10 ? "0" : "") + "\(index)_max\(length)"
      let encoded = try tokenizer.encode(item.text, maxLength: length)
      #expect(try encoded.ids.map(Int.init) == expected.tensor(named: "ids_\(suffix)").integers())
      #expect(try encoded.attentionMask.map(Int.init) == expected.tensor(named: "mask_\(suffix)").integers())
      #expect(encoded.droppedCount == max(0, item.ids.count - length))
    }
  }

  /// A directory with the small model of `ModelBytes` and settings.
  private func tokenizer(
    config: String? = nil, specialTokens: String? = nil, addedTokens: String? = nil
  ) throws -> T5Tokenizer {
    let directory = try TemporaryDirectory()
    try directory.write(ModelBytes().bytes, to: "spiece.model")
    if let config { try directory.write(config, to: "tokenizer_config.json") }
    if let specialTokens { try directory.write(specialTokens, to: "special_tokens_map.json") }
    if let addedTokens { try directory.write(addedTokens, to: "added_tokens.json") }
    return try T5Tokenizer(directory: directory.path)
  }

  @Test("without settings the tokens are T5's own, with a hundred extra ids") func defaults() throws {
    let tokenizer = try tokenizer()
    #expect(tokenizer.endID == 1)
    #expect(tokenizer.padID == 0)
    #expect(tokenizer.idLimit == 106)
    #expect(try tokenizer.encodeUnpadded("cat <extra_id_0> <extra_id_99>s") == [4, 105, 6, 3, 5, 1])
  }

  @Test("added_tokens.json places tokens, which then keep the spaces around them") func addedTokens() throws {
    let tokenizer = try tokenizer(
      config: #"{"extra_ids":0}"#, specialTokens: #"{"eos_token":{"content":"<end>"}}"#,
      addedTokens: #"{"<end>":9,"<x>":7}"#)
    #expect(tokenizer.endID == 9)
    #expect(tokenizer.idLimit == 10)
    #expect(try tokenizer.encodeUnpadded("cat<x>cat") == [4, 7, 4, 9])
  }

  @Test("a special token that neither model nor settings place gets the next free id") func newToken() throws {
    let tokenizer = try tokenizer(config: #"{"extra_ids":2,"eos_token":"<end>","mask_token":"<mask>"}"#)
    #expect(tokenizer.endID == 8)
    #expect(try tokenizer.encodeUnpadded("cat<mask>") == [4, 9, 8])
  }

  @Test("outside of the legacy behaviour no space is put after an added token") func faithful() throws {
    let legacy = try tokenizer(config: #"{"legacy":true}"#)
    let faithful = try tokenizer(config: #"{"legacy":false}"#)
    #expect(try legacy.tokens(of: "cat<pad>s s") == ["\u{2581}cat", "<pad>", "\u{2581}", "s", "\u{2581}", "s"])
    #expect(try faithful.tokens(of: "cat<pad>s s") == ["\u{2581}cat", "<pad>", "s", "\u{2581}", "s"])
    #expect(try faithful.tokens(of: "<pad>s") == ["<pad>", "s"])
  }

  @Test("a prompt that ends with the closing token gets no second one") func spelledEnd() throws {
    let tokenizer = try tokenizer()
    #expect(try tokenizer.encodeUnpadded("cat</s>") == [4, 1])
    #expect(try tokenizer.encode("cat</s>", maxLength: 3).ids == [4, 1, 0])
    // Room is kept for a closing token even so, and the cut may then remove the one that was spelled out.
    #expect(try tokenizer.encode("cat</s>", maxLength: 2).ids == [4, 1])
    #expect(try tokenizer.encode("cat</s>cat", maxLength: 3).ids == [4, 1, 0])
    #expect(try tokenizer.encode("cat</s>cat", maxLength: 3).attentionMask == [1, 1, 0])
  }

  @Test(
    "M11: settings that contradict each other or are out of range are refused",
    arguments: [
      #"{"extra_ids":3,"additional_special_tokens":["<extra_id_0>"]}"#, #"{"extra_ids":-1}"#, #"{"extra_ids":1000000}"#,
      #"{"added_tokens_decoder":{"-1":{"content":"x"}}}"#, #"{"added_tokens_decoder":{"4294967296":{"content":"x"}}}"#,
      #"{"added_tokens_decoder":{"x":{"content":"x"}}}"#, #"{"added_tokens_decoder":{"1":{}}}"#,
      #"{"eos_token":3}"#, #"{"legacy":"yes"}"#, "[]", "{",
    ])
  func badSettings(config: String) throws {
    #expect(throws: ConfigError.self) { try tokenizer(config: config) }
  }

  @Test("M11: control tokens in the text become their ids") func controlTokens() throws {
    #expect(try tokenizer().encodeUnpadded("<pad></s><unk>cat") == [0, 1, 2, 4, 1])
  }

  @Test("M12: empty text, spaces and NUL are encoded", arguments: [("", 0), ("  \t\n ", 0), ("\0", 1), ("\0cat", 1)])
  func unusualText(text: String, minimum: Int) throws {
    let encoded = try T5Tokenizer(directory: Self.directory).encode(text, maxLength: 226)
    #expect(encoded.ids.count == 226)
    #expect(encoded.attentionMask.count { $0 == 1 } >= minimum + 1)
    #expect(encoded.droppedCount == 0)
  }

  @Test("M12: bytes that are not UTF-8 and lone surrogates become unknown characters") func invalidText() throws {
    let text = String(decoding: [0x61, 0xFF, 0xED, 0xA0, 0x80] as [UInt8], as: UTF8.self)
    let ids = try T5Tokenizer(directory: Self.directory).encodeUnpadded(text)
    #expect(ids.first == 116)
    #expect(ids.last == 1)
  }

  @Test("M12: a prompt of 1 MB is cut, quickly and with a count of what was dropped") func longText() throws {
    let tokenizer = try T5Tokenizer(directory: Self.directory)
    let text = String(repeating: "horse ", count: 1 << 20 / 6)
    let time = try ContinuousClock().measure {
      let encoded = try tokenizer.encode(text, maxLength: 226)
      #expect(encoded.ids.count == 226)
      #expect(encoded.ids.last == 1)
      #expect(encoded.attentionMask.allSatisfy { $0 == 1 })
      #expect(encoded.droppedCount == (1 << 20 / 6) - 225)
    }
    #expect(time < .seconds(2))
  }

  @Test("M12: text that fits exactly is not reported as cut") func exactFit() throws {
    let tokenizer = try tokenizer()
    #expect(try tokenizer.encode("cat cat", maxLength: 3).droppedCount == 0)
    #expect(try tokenizer.encode("cat cat cat", maxLength: 3).droppedCount == 1)
    #expect(try tokenizer.encode("cat", maxLength: 1) == EncodedPrompt(ids: [1], attentionMask: [1], droppedCount: 1))
  }
}
