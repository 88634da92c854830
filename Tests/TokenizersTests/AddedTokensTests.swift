import Testing

@testable import Tokenizers

@Suite struct AddedTokensTests {
  private static let plain = AddedToken(content: "<a>", id: 1)
  private static let long = AddedToken(content: "<a>b", id: 2)
  private static let greedy = AddedToken(content: "<g>", id: 3, stripsLeft: true, stripsRight: true)
  private static let word = AddedToken(content: "<w>", id: 4, isSingleWord: true)

  private func segments(_ text: String) -> [AddedTokens.Segment] {
    AddedTokens([Self.plain, Self.long, Self.greedy, Self.word]).segments(of: text)
  }

  @Test("text is cut at tokens, with spaces kept") func cutting() {
    #expect(segments("x <a> y") == [.text("x "), .token(Self.plain), .text(" y")])
    #expect(segments("<a><a>") == [.token(Self.plain), .token(Self.plain)])
    #expect(segments("<<a>>") == [.text("<"), .token(Self.plain), .text(">")])
    #expect(segments("<A>") == [.text("<A>")])
    #expect(segments("") == [])
  }

  @Test("the longest token at a place counts") func longest() {
    #expect(segments("<a>b") == [.token(Self.long)])
    #expect(segments("<a>c") == [.token(Self.plain), .text("c")])
  }

  @Test("a greedy token takes white space of every kind on both sides") func stripping() {
    #expect(segments("x \t\u{3000}<g>\u{1F}\n\u{A0}y ") == [.text("x"), .token(Self.greedy), .text("y ")])
    #expect(segments(" <g> ") == [.token(Self.greedy)])
    #expect(segments("<a> <g>") == [.token(Self.plain), .token(Self.greedy)])
    #expect(segments("\u{200B}<g>") == [.text("\u{200B}"), .token(Self.greedy)])
  }

  @Test("a single word counts only between spaces") func singleWords() {
    #expect(segments("x <w> y") == [.text("x "), .token(Self.word), .text(" y")])
    #expect(segments("x<w> y") == [.text("x<w>"), .text(" y")])
    #expect(segments("x <w>y") == [.text("x "), .text("<w>y")])
    #expect(segments("<w>") == [.token(Self.word)])
  }

  @Test("tokens with accents match only their own encoding") func encodings() {
    let tokens = AddedTokens([AddedToken(content: "\u{E9}", id: 7)])
    #expect(tokens.segments(of: "e\u{301}") == [.text("e\u{301}")])
    #expect(tokens.segments(of: "\u{E9}\u{301}").count == 2)
    #expect(tokens["\u{E9}".utf8]?.id == 7)
    #expect(tokens["".utf8] == nil)
  }
}
