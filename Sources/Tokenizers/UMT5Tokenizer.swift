import Checkpoints
import Runtime

/// The tokenizer of UMT5 as Wan uses it: transformers' `T5TokenizerFast`, which follows `tokenizer.json`.
///
/// It differs from `T5Tokenizer`, which follows SentencePiece: text is normalised character by character and cut into
/// words first, characters without a piece become the unknown token instead of bytes, and a closing token that the
/// prompt spells out gets another one. The vocabulary is that of `spiece.model`, from which `tokenizer.json` was made.
package struct UMT5Tokenizer: PromptTokenizer {
  package let endID: Int32
  package let padID: Int32
  package var reusesEnd: Bool { false }
  /// The largest id that can occur plus one: the least number of rows of an embedding table.
  package let idLimit: Int

  private let model: SentencePieceModel
  private let added: AddedTokens
  /// Pieces that SentencePiece never finds in text, but the vocabulary of `tokenizer.json` does: bytes and controls.
  private let literals: AddedTokens
  private let normalizer: TokenizerFile.Normalizer
  private let splitter: TokenizerFile.Splitter

  /// Loads the tokenizer in `directory`: `spiece.model` and, where present, `tokenizer.json` and its settings.
  ///
  /// Throws `TokenizerError`, `ConfigError` or `FileFailure`.
  package init(directory: String) throws {
    var settings = try TokenizerSettings(directory: directory)
    let model = try SentencePieceModel(path: "\(directory)/spiece.model", normalization: .none)
    let path = "\(directory)/tokenizer.json"
    if let file = try ConfigFile(ifPresentAt: path, maximumByteCount: TokenizerFile.maximumByteCount) {
      let contents = try file.decode(TokenizerFile.self)
      normalizer = contents.normalizer
      splitter = contents.splitter
      settings.addedTokens.merge(contents.addedTokens) { $1 }
    } else {
      normalizer = .converted(from: model.characterMap)
      splitter = TokenizerFile.Splitter()
    }
    let vocabulary = try T5Vocabulary(settings, model: model, directory: directory)
    self.model = model
    endID = vocabulary.endID
    padID = vocabulary.padID
    idLimit = vocabulary.idLimit
    added = vocabulary.added
    literals = AddedTokens(
      (0..<Int32(model.pieceCount)).filter(model.isLiteral).compactMap { id in
        model.piece(withID: id).map { AddedToken(content: $0, id: id) }
      })
  }

  package func ids(of text: String) throws(TokenizerError) -> [Int32] {
    var result: [Int32] = []
    for (index, segment) in added.segments(of: text).enumerated() {
      switch segment {
      case .token(let token): result.append(token.id)
      case .text(let text):
        for word in splitter.words(of: normalizer.normalized(text), isFirst: index == 0) {
          result += try ids(ofWord: word)
        }
      }
    }
    return result
  }

  /// - Parameter word: normalised.
  private func ids(ofWord word: String) throws(TokenizerError) -> [Int32] {
    var result: [Int32] = []
    for segment in literals.segments(of: word) {
      switch segment {
      case .token(let token): result.append(token.id)
      case .text(let text):
        for piece in try model.pieces(of: text) {
          let id = model.id(of: piece)
          let known = model.isByte(id) ? model.unknownID : id
          // Neighbouring unknown characters are one unknown token.
          if known != model.unknownID || result.last != model.unknownID { result.append(known) }
        }
      }
    }
    return result
  }
}
