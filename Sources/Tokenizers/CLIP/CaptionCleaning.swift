/// How CLIP's tokenizer tidies a text: as prompts are cleaned, and lower case.
enum CaptionCleaning {
  static func cleaned(_ text: String) -> String { lowercased(PromptCleaner.cleaned(text)) }

  /// Lower case by the rules of Unicode, with the other form of sigma at the end of a word.
  private static func lowercased(_ text: String) -> String {
    let scalars = Array(text.unicodeScalars)
    var result = ""
    for (index, scalar) in scalars.enumerated() {
      guard scalar == "Σ" else {
        result += scalar.properties.lowercaseMapping
        continue
      }
      func isLetter(_ scalars: some Sequence<Unicode.Scalar>) -> Bool {
        scalars.first { !$0.properties.isCaseIgnorable }?.properties.isCased ?? false
      }
      let endsWord = isLetter(scalars[..<index].reversed()) && !isLetter(scalars[(index + 1)...])
      result += endsWord ? "ς" : "σ"
    }
    return result
  }
}
