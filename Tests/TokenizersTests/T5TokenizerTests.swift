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

  private static let directory = Fixtures.path("tokenizer/t5")

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
}
