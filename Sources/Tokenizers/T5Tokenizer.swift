import Checkpoints
import Runtime

/// The tokenizer of T5 as CogVideoX uses it: transformers' `T5Tokenizer`, the one without a `tokenizer.json`.
///
/// Added tokens (`</s>`, `<extra_id_0>`, …) are cut out of the text; the rest goes piece by piece through SentencePiece
/// with the model's own normalisation. In the legacy behaviour, the default, each rest gets a space in front, also after
/// an added token.
package struct T5Tokenizer: PromptTokenizer {
  package let endID: Int32
  package let padID: Int32
  package var reusesEnd: Bool { true }
  /// The largest id that can occur plus one: the least number of rows of an embedding table.
  package let idLimit: Int

  private let model: SentencePieceModel
  private let added: AddedTokens
  private let specialTokens: Set<String>
  private let style: Style

  private enum Style {
    case legacy
    /// Spaces are not put in front of every part of the text, but kept where they are; `prefix` goes before the whole.
    case faithful(prefix: String, unknown: String, unknownLength: Int)
  }

  /// Loads the tokenizer in `directory`: `spiece.model` and, where present, its settings.
  ///
  /// Throws `TokenizerError`, `ConfigError` or `FileFailure`.
  package init(directory: String) throws {
    let settings = try TokenizerSettings(directory: directory)
    let isLegacy = settings.isLegacy ?? true
    let model = try SentencePieceModel(
      path: "\(directory)/spiece.model", normalization: isLegacy ? .ofModel : .withoutDummyPrefix)
    let vocabulary = try T5Vocabulary(settings, model: model, directory: directory)
    endID = vocabulary.endID
    padID = vocabulary.padID
    idLimit = vocabulary.idLimit
    added = vocabulary.added
    specialTokens = vocabulary.specialTokens
    style =
      isLegacy
      ? .legacy
      : .faithful(
        prefix: settings.addsPrefixSpace ?? true ? "\u{2581}" : "", unknown: vocabulary.unknown,
        unknownLength: try model.pieces(of: vocabulary.unknown).count)
    self.model = model
  }

  package func ids(of text: String) throws(TokenizerError) -> [Int32] {
    try tokens(of: text).map { added[$0.utf8]?.id ?? model.id(of: $0) }
  }

  /// The tokens of `text` as texts: contents of added tokens, pieces, and unknown parts as they are.
  package func tokens(of text: String) throws(TokenizerError) -> [String] {
    guard case .faithful(let prefix, _, _) = style, !text.isEmpty else { return try tokens(ofSegmentsOf: text) }
    let tokens = try tokens(ofSegmentsOf: prefix + text.replacingScalars("\u{2581}", with: " "))
    let isPrefixAlone = tokens.count > 1 && tokens[0] == "\u{2581}" && specialTokens.contains(tokens[1])
    return isPrefixAlone ? Array(tokens.dropFirst()) : tokens
  }

  private func tokens(ofSegmentsOf text: String) throws(TokenizerError) -> [String] {
    var result: [String] = []
    for segment in added.segments(of: text) {
      switch segment {
      case .token(let token): result.append(token.content)
      case .text(let text): result += try pieces(of: text)
      }
    }
    return result
  }

  private func pieces(of text: String) throws(TokenizerError) -> [String] {
    guard case .faithful(_, let unknown, let unknownLength) = style,
      let first = text.unicodeScalars.first, first == "\u{2581}" || first == " "
    else { return try model.pieces(of: text) }
    // SentencePiece drops spaces at the start of a text; something that is cut off again stands before them.
    let pieces = try model.pieces(of: unknown + text)
    return pieces.count >= unknownLength ? Array(pieces.dropFirst(unknownLength)) : pieces
  }
}

extension String {
  /// Replaces single scalars, also where an accent follows that belongs to the same character.
  fileprivate func replacingScalars(_ scalar: Unicode.Scalar, with other: Unicode.Scalar) -> String {
    var result = String.UnicodeScalarView()
    result.append(contentsOf: unicodeScalars.lazy.map { $0 == scalar ? other : $0 })
    return String(result)
  }
}
