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
    let model = try SentencePieceModel(path: "\(directory)/spiece.model", addsDummyPrefix: isLegacy)
    let end = settings.endToken ?? TokenDescription(content: "</s>")
    let unknown = settings.unknownToken ?? TokenDescription(content: "<unk>")
    let pad = settings.padToken ?? TokenDescription(content: "<pad>")

    var tokens = try Self.extraTokens(settings, path: directory, pieceCount: model.pieceCount)
    for (id, description) in settings.addedTokens { tokens[id] = description.added(withID: id) }
    let special = [end, unknown, pad] + settings.otherSpecialTokens + (settings.additionalSpecialTokens ?? [])
    Self.add(special, to: &tokens, of: model)

    let added = AddedTokens(tokens.sorted { $0.key < $1.key }.map(\.value))
    endID = added[end.content.utf8]?.id ?? model.id(of: end.content)
    padID = added[pad.content.utf8]?.id ?? model.id(of: pad.content)
    idLimit = max(model.pieceCount, Int(tokens.keys.max() ?? 0) + 1)
    specialTokens = Set(special.map(\.content)).union(tokens.values.map(\.content).filter(Self.isExtra))
    style =
      isLegacy
      ? .legacy
      : .faithful(
        prefix: settings.addsPrefixSpace ?? true ? "\u{2581}" : "", unknown: unknown.content,
        unknownLength: try model.pieces(of: unknown.content).count)
    self.model = model
    self.added = added
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

// MARK: - Added tokens

extension T5Tokenizer {
  private static func isExtra(_ content: String) -> Bool { content.contains("<extra_id_") }

  /// `<extra_id_0>` and so on, numbered down to the first id after the pieces.
  private static func extraTokens(
    _ settings: TokenizerSettings, path: String, pieceCount: Int
  ) throws -> [Int32: AddedToken] {
    let listed = settings.additionalSpecialTokens?.count { isExtra($0.content) } ?? 0
    let count = settings.extraIDCount ?? (listed > 0 ? listed : 100)
    guard (0...10_000).contains(count), listed == 0 || listed == count else {
      throw ConfigError(
        path: "\(path)/tokenizer_config.json",
        problem: .invalid(field: "extra_ids", why: "is \(count), but additional_special_tokens lists \(listed) of them")
      )
    }
    let first = Int32(pieceCount - 1 + count)
    return Dictionary(
      uniqueKeysWithValues: (0..<Int32(count)).map { index in
        let token = AddedToken(
          content: "<extra_id_\(index)>", id: first - index, stripsLeft: true, stripsRight: true)
        return (token.id, token)
      })
  }

  /// Makes each of `special` an added token: under the id of its piece, or else under the next free id.
  private static func add(
    _ special: [TokenDescription], to tokens: inout [Int32: AddedToken], of model: SentencePieceModel
  ) {
    func pieceID(_ content: String) -> Int32? {
      let id = model.id(of: content)
      return model.piece(withID: id) == content ? id : nil
    }
    var known = Set(tokens.values.map(\.content))
    var next = Int32(model.pieceCount + known.count { pieceID($0) == nil })
    for description in special where known.insert(description.content).inserted {
      let id = pieceID(description.content) ?? next
      if id == next { next += 1 }
      tokens[id] = description.added(withID: id)
    }
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
