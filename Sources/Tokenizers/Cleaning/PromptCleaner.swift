/// Cleans prompts as the published Wan pipelines do before they are tokenized.
package enum PromptCleaner {
  /// Glitches repaired, HTML entities resolved twice, and runs of white space made one space.
  package static func cleaned(_ prompt: String) -> String {
    let repaired = TextRepair.repaired(Scalars(prompt.unicodeScalars))
    let plain = HTMLEntities.unescaped(HTMLEntities.unescaped(repaired))
    let words = plain.split(whereSeparator: isSpace)
    return String(String.UnicodeScalarView(words.joined(separator: [" "])))
  }

  /// White space of Python's `str.strip` and of `\s`.
  private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }
}
