import Checkpoints
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
    let path = ProcessInfo.processInfo.environment["CLEANING"] ?? Fixtures.path("tokenizer/cleaning-expected.json")
    let items = try JSONDecoder().decode([Item].self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    #expect(items.count >= 600)
    var failures = 0
    for item in items {
      let cleaned = PromptCleaner.cleaned(item.text)
      guard Array(cleaned.unicodeScalars) != Array(item.cleaned.unicodeScalars) else { continue }
      failures += 1
      if failures < 40 { Issue.record("\(item.text.debugDescription): \(cleaned.debugDescription), recorded \(item.cleaned.debugDescription)") }
    }
    #expect(failures == 0)
  }
}
