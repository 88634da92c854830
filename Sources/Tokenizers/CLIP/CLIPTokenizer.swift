import Checkpoints
import Foundation
import Runtime

/// The tokenizer of CLIP: byte-pair encoding of lower-case words (Radford et al. 2021).
///
/// The table of merges is read from a file: `bpe_simple_vocab_16e6.txt.gz` as CLIP's authors publish it, or the
/// `merges.txt` of the transformers library. Both hold the same merges, and text is cleaned in the authors' way whichever
/// of them is there.
package struct CLIPTokenizer: Sendable {
  /// Opens each sequence.
  package let startID: Int32
  /// Closes each sequence; the largest id.
  package let endID: Int32
  /// What fills a sequence up; the encoder never looks at it.
  package let padID: Int32 = 0

  private let table: BytePairTable

  /// Tokens an encoder reads at most.
  package static let contextLength = 77

  private static let startMark = "<|startoftext|>"
  private static let endMark = "<|endoftext|>"
  /// Merges that CLIP uses; the published table goes on far beyond them.
  private static let mergeCount = 49_152 - 256 - 2
  private static let maximumByteCount = 64 << 20

  /// Loads a table: one line of header, then a pair of tokens a line; compressed by gzip or not.
  ///
  /// Throws `TokenizerError` or `FileFailure`.
  package init(file: String) throws {
    let bytes = try GzipFile.contents(of: file, limit: Self.maximumByteCount)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw TokenizerError.malformedTable(path: file, line: 1, why: "it is not UTF-8")
    }
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    while lines.last?.isEmpty == true { lines.removeLast() }
    guard let header = lines.first, header.hasPrefix("#") || header.hasPrefix("\"") else {
      throw TokenizerError.malformedTable(path: file, line: 1, why: "there is no header with its version")
    }
    let merges = lines.dropFirst().prefix(Self.mergeCount)
    table = try BytePairTable(lines: Array(merges), path: file, firstLine: 2)
    startID = Int32(table.count)
    endID = startID + 1
  }

  /// Loads the table in a directory of weights, under either of its published names.
  package init(directory: String) throws {
    let names = ["bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt", "merges.txt"]
    let paths = names.map { "\(directory)/\($0)" }
    guard let path = paths.first(where: FileManager.default.fileExists(atPath:)) else {
      throw FileFailure(path: "\(directory)/\(names[0])", action: "read CLIP's table of merges", code: ENOENT)
    }
    try self.init(file: path)
    let vocabulary = "\(directory)/vocab.json"
    if path.hasSuffix("merges.txt"),
      let file = try ConfigFile(ifPresentAt: vocabulary, maximumByteCount: Self.maximumByteCount)
    {
      try check(against: file.decode([String: Int32].self), path: vocabulary)
    }
  }

  /// Tokens of text, of starts and of ends.
  package var vocabularySize: Int { Int(endID) + 1 }

  /// The ids of the tokens of `text`, without the opening and the closing one.
  package func ids(of text: String) -> [Int32] {
    var ids: [Int32] = []
    var rest = CaptionCleaning.cleaned(text).unicodeScalars[...]
    while let length = Self.wordLength(rest) {
      let word = String(rest.prefix(length))
      rest = rest.dropFirst(length)
      switch word {
      case Self.startMark: ids.append(startID)
      case Self.endMark: ids.append(endID)
      case " ": break
      default: ids += table.ids(ofWord: word)
      }
    }
    return ids
  }

  /// The tokens of `text` between the opening and the closing one, cut and padded to `length`.
  package func encode(_ text: String, length: Int = contextLength) -> EncodedPrompt {
    precondition(length >= 2, "no room for the opening and closing tokens")
    let tokens = ids(of: text)
    let kept = [startID] + tokens.prefix(length - 2) + [endID]
    let padding = length - kept.count
    return EncodedPrompt(
      ids: kept + Array(repeating: padID, count: padding),
      attentionMask: Array(repeating: 1, count: kept.count) + Array(repeating: 0, count: padding),
      droppedCount: max(0, tokens.count - (length - 2)))
  }

  /// Characters of the first word of a cleaned text, of which a space counts as one: a special token, the ending of a
  /// contraction, letters, one digit, or a run of other signs. Nil if the text is empty.
  private static func wordLength(_ text: Substring.UnicodeScalarView) -> Int? {
    guard let first = text.first else { return nil }
    for word in [startMark, endMark, "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"]
    where first == word.unicodeScalars.first && text.starts(with: word.unicodeScalars) {
      return word.unicodeScalars.count
    }
    switch Kind(first) {
    case .space, .number: return 1
    case .letter: return text.prefix { Kind($0) == .letter }.count
    case .other: return text.prefix { Kind($0) == .other }.count
    }
  }

  private enum Kind {
    case space, letter, number, other

    init(_ scalar: Unicode.Scalar) {
      switch scalar.properties.generalCategory {
      case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
      case .decimalNumber, .letterNumber, .otherNumber: self = .number
      default: self = scalar.properties.isWhitespace ? .space : .other
      }
    }
  }

  /// Throws unless a vocabulary gives the tokens the ids that follow from the merges.
  private func check(against vocabulary: [String: Int32], path: String) throws(TokenizerError) {
    let marks = [Self.startMark: startID, Self.endMark: endID]
    for (token, id) in vocabulary.sorted(by: { $0.value < $1.value }) where marks[token] ?? table.id(of: token) != id {
      throw .malformedTable(
        path: path, line: 1, why: "the token '\(token)' has the id \(id), which does not follow from merges.txt")
    }
    guard vocabulary.count == vocabularySize else {
      throw .malformedTable(path: path, line: 1, why: "it has \(vocabulary.count) tokens, not \(vocabularySize)")
    }
  }
}
