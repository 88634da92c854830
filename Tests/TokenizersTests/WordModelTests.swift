import TestSupport
import Testing

@testable import Tokenizers

@Suite("Models of whole words")
struct WordModelTests {
  private func tokenizer(_ words: [String]) throws -> (tokenizer: T5Tokenizer, count: Int) {
    let directory = try TemporaryDirectory()
    let count = try WordModel.write(words: words, to: directory.path)
    return (try T5Tokenizer(directory: directory.path), count)
  }

  @Test("known words are one token each, marks close them, and unknown words fall into letters")
  func words() throws {
    let (tokenizer, count) = try tokenizer(["A", "red", "star", "two-tone"])
    #expect(
      try tokenizer.tokens(of: "A red two-tone star.") == [
        "\u{2581}A", "\u{2581}red", "\u{2581}two-tone", "\u{2581}star", ".",
      ])
    #expect(try tokenizer.tokens(of: "A  cat") == ["\u{2581}A", "\u{2581}", "c", "a", "t"])
    #expect(try tokenizer.tokens(of: "") == [])
    let ids = try tokenizer.ids(of: "A red star. Zebra?")
    #expect(ids.allSatisfy { (3..<Int32(count)).contains($0) })
    #expect(tokenizer.idLimit == count)
    #expect((tokenizer.padID, tokenizer.endID) == (0, 1))
    #expect(try tokenizer.ids(of: "\u{4E16}").last == 2)
  }

  @Test("captions are cut and padded as a T5 tokenizer does it")
  func padding() throws {
    let (tokenizer, _) = try tokenizer(["A", "red"])
    let encoded = try tokenizer.encode("A red", maxLength: 4)
    #expect(encoded.ids.suffix(2) == [1, 0])
    #expect(encoded.attentionMask == [1, 1, 1, 0])
  }
}
