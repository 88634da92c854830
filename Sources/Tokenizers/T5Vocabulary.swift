import Checkpoints

/// The tokens that a T5 tokenizer has besides its pieces, by the rules of transformers' `T5Tokenizer`.
struct T5Vocabulary: Sendable {
  let endID: Int32
  let padID: Int32
  let unknown: String
  /// The largest id plus one.
  let idLimit: Int
  let added: AddedTokens
  /// Contents of the tokens with a role of their own.
  let specialTokens: Set<String>

  /// Throws `ConfigError`.
  init(_ settings: TokenizerSettings, model: SentencePieceModel, directory: String) throws {
    let end = settings.endToken ?? TokenDescription(content: "</s>")
    let unknown = settings.unknownToken ?? TokenDescription(content: "<unk>")
    let pad = settings.padToken ?? TokenDescription(content: "<pad>")
    var tokens = try Self.extraTokens(settings, directory: directory, pieceCount: model.pieceCount)
    for (id, description) in settings.addedTokens { tokens[id] = description.added(withID: id) }
    let special = [end, unknown, pad] + settings.otherSpecialTokens + (settings.additionalSpecialTokens ?? [])
    Self.add(special, to: &tokens, of: model)

    added = AddedTokens(tokens.sorted { $0.key < $1.key }.map(\.value))
    endID = added[end.content.utf8]?.id ?? model.id(of: end.content)
    padID = added[pad.content.utf8]?.id ?? model.id(of: pad.content)
    self.unknown = unknown.content
    idLimit = max(model.pieceCount, Int(tokens.keys.max() ?? 0) + 1)
    specialTokens = Set(special.map(\.content)).union(tokens.values.map(\.content).filter(Self.isExtra))
  }

  private static func isExtra(_ content: String) -> Bool { content.contains("<extra_id_") }

  /// `<extra_id_0>` and so on, numbered down to the first id after the pieces.
  private static func extraTokens(
    _ settings: TokenizerSettings, directory: String, pieceCount: Int
  ) throws(ConfigError) -> [Int32: AddedToken] {
    let listed = settings.additionalSpecialTokens?.count { isExtra($0.content) } ?? 0
    let count = settings.extraIDCount ?? (listed > 0 ? listed : 100)
    guard (0...10_000).contains(count), listed == 0 || listed == count else {
      throw ConfigError(
        path: "\(directory)/tokenizer_config.json",
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
