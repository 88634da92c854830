import Foundation
import Runtime

/// Refuses prompts that plainly ask for harmful content (the paper's Section 6 asks for such a filter).
package enum PromptFilter {
  /// The first kind of harmful content that a text asks for, and the words that say so.
  package static func finding(in text: String) -> (category: HarmfulCategory, words: String)? {
    var words = self.words(of: text)
    for phrase in HarmfulCategory.harmless { words = removing(phrase, from: words) }
    for category in HarmfulCategory.allCases {
      if let phrase = category.phrases.first(where: { occurs($0, in: words) }) { return (category, phrase) }
      guard let pairs = category.pairs, let first = pairs.first.first(where: { occurs($0, in: words) }),
        let second = pairs.second.first(where: { occurs($0, in: words) })
      else { continue }
      return (category, "\(first) … \(second)")
    }
    return nil
  }

  /// Throws `ContentRefusal` for a text that asks for harmful content.
  ///
  /// - Parameter field: the option or column that holds the text.
  package static func check(_ text: String, field: String) throws(ContentRefusal) {
    guard let finding = finding(in: text) else { return }
    throw .prompt(field: field, finding.category, words: finding.words)
  }

  /// The words in lower case, without accents, with digits and signs that stand for letters replaced.
  static func words(of text: String) -> [String] {
    let plain = text.precomposedStringWithCompatibilityMapping
      .folding(options: [.caseInsensitive, .diacriticInsensitive], locale: nil).lowercased()
    var words: [String] = []
    var word: [Character] = []
    func finish() {
      // A number is no word in disguise.
      if word.contains(where: \.isLetter) { words.append(String(word.map { disguises[$0] ?? $0 })) }
      word = []
    }
    for character in plain {
      if character.isLetter || character.isNumber || disguises[character] != nil {
        word.append(character)
      } else if character != "'" && character != "\u{2019}" && !character.isInvisible {
        finish()
      }
    }
    finish()
    return words
  }

  private static let disguises: [Character: Character] = [
    "0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s",
  ]

  private static func occurs(_ phrase: String, in words: [String]) -> Bool {
    place(of: phrase, in: words) { place in
      // "No nudity" asks for none.
      place == 0 || !["no", "without", "not"].contains(words[place - 1])
    } != nil
  }

  private static func removing(_ phrase: String, from words: [String]) -> [String] {
    var words = words
    while let place = place(of: phrase, in: words, where: { _ in true }) {
      words.removeSubrange(place..<place + phrase.split(separator: " ").count)
    }
    return words
  }

  /// Where the words of a phrase stand one after the other.
  private static func place(of phrase: String, in words: [String], where accepts: (Int) -> Bool) -> Int? {
    let parts = phrase.split(separator: " ")
    guard words.count >= parts.count else { return nil }
    return (0...words.count - parts.count).first { start in
      zip(parts, words[start...]).allSatisfy { part, word in
        part.hasSuffix("*") ? word.hasPrefix(part.dropLast()) : word == part
      } && accepts(start)
    }
  }
}

extension Character {
  /// Signs without width, which could be put inside of a word.
  fileprivate var isInvisible: Bool {
    unicodeScalars.allSatisfy { $0.properties.generalCategory == .format || $0.properties.isDefaultIgnorableCodePoint }
  }
}

/// Content that is not made.
package enum ContentRefusal: Failure, Equatable {
  case prompt(field: String, HarmfulCategory, words: String)
  case frames(HarmfulCategory, share: Double)

  package static let override = "--no-content-filter"

  package var category: FailureCategory { .badInput }

  package var message: String {
    switch self {
    case .prompt(let field, let category, let words):
      "\(printable(field)) asks for \(category.rawValue) ('\(words)'), which this program does not make by default; "
        + "reword it, or give \(Self.override) if this is research that needs it or the words were misunderstood"
    case .frames(let category, let share):
      "the video looks like \(category.rawValue) (\(Int((100 * share).rounded())) % by CLIP) and was not written; give "
        + "\(Self.override) if this is research that needs it or the frames were misunderstood"
    }
  }
}
