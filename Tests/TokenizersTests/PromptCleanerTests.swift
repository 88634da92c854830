import Foundation
import TestSupport
import Testing

@testable import Tokenizers

@Suite("Prompt cleaner")
struct PromptCleanerTests {
  private struct Item: Decodable {
    let text: String
    let cleaned: String
  }

  /// Recorded from ftfy 6.3.1 and Python 3.11: misread text of many languages, references, controls, and random scalars.
  @Test("Cleaned texts equal recorded ones, scalar by scalar")
  func recorded() throws {
    let path = Fixtures.path("tokenizer/cleaning-expected.json")
    let items = try JSONDecoder().decode([Item].self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    #expect(items.count == 700)
    for item in items {
      let cleaned = PromptCleaner.cleaned(item.text)
      #expect(
        Array(cleaned.unicodeScalars) == Array(item.cleaned.unicodeScalars),
        "\(item.text.debugDescription): \(cleaned.debugDescription), recorded \(item.cleaned.debugDescription)")
    }
  }

  @Test("every HTML5 name with a semicolon is known, and the old ones without")
  func names() {
    #expect(HTMLEntities.text(named: Array("CounterClockwiseContourIntegral".unicodeScalars)) == ["\u{2233}"])
    #expect(
      PromptCleaner.cleaned("&NotEqualTilde; &zwnj;&lang; &copy &copyx &lang")
        == "\u{2242}\u{338} \u{200C}\u{27E8} © ©x &lang")
  }

  @Test(
    "misread text is repaired, also where it was misread twice, and only there",
    arguments: [
      ("schÃ¶n", "schön"), ("sÃƒÂ³", "só"), ("L’Ã©tÃ© 日本", "L'été 日本"), ("voilÃ le travail", "voilà le travail"),
      ("âœ” fine", "✔ fine"), ("Ângelo é alto", "Ângelo é alto"), ("ÃO", "ÃO"),
    ])
  func mojibake(text: String, expected: String) {
    #expect(Array(PromptCleaner.cleaned(text).unicodeScalars) == Array(expected.unicodeScalars))
  }

  @Test("strange text ends, and costs no more than its length asks", arguments: ["&", "Ã", "\u{1B}[", "â€", "<&amp;"])
  func longText(unit: String) {
    _ = PromptCleaner.cleaned(String(repeating: unit, count: 20_000))
  }
}
