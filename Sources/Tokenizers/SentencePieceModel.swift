import CSentencePiece
import Checkpoints
import Runtime

/// A SentencePiece model (`spiece.model`): splits text into the pieces of its vocabulary.
package final class SentencePieceModel: @unchecked Sendable {
  // Sound to share: the library's model is constant after loading, and its encoding keeps no state.
  package let path: String
  /// The model's table of characters, whether the library uses it or not.
  let characterMap: CharacterMap?
  private let model: OpaquePointer

  /// The largest published models have a few megabytes.
  private static let maximumByteCount = 64 << 20

  /// What the library does to a text before it splits it.
  package enum Normalization: Sendable {
    /// What the model says.
    case ofModel
    /// The same, except that no space is put in front.
    case withoutDummyPrefix
    /// Nothing: the caller brings text in the form of the pieces.
    case none
  }

  /// Loads the file at `path`. Throws `TokenizerError` or `FileFailure`.
  package init(path: String, normalization: Normalization = .ofModel) throws {
    let file = try MappedFile(path: path)
    guard file.byteCount <= Self.maximumByteCount else {
      throw TokenizerError.tooLarge(path: path, byteCount: file.byteCount, limit: Self.maximumByteCount)
    }
    if let format = file.withBytes({ ForeignFormat($0) }) { throw TokenizerError.otherFormat(path: path, format) }
    // Checked and loaded are the same copy: the file may be written to in between.
    var serialized = file.withBytes { Array($0) }
    characterMap = try serialized.withUnsafeBytes { try SentencePieceFile($0, path: path).characterMap }
    serialized += normalization.override
    var message: UnsafeMutablePointer<CChar>?
    guard let model = vap_sentencepiece_load(serialized, serialized.count, &message) else {
      throw TokenizerError.modelRefused(path: path, why: Self.take(message))
    }
    self.path = path
    self.model = model
  }

  deinit { vap_sentencepiece_free(model) }

  package var pieceCount: Int { Int(vap_sentencepiece_count(model)) }
  package var unknownID: Int32 { vap_sentencepiece_unknown_id(model) }

  /// The id of a piece, or `unknownID` if there is no such piece.
  package func id(of piece: String) -> Int32 {
    var piece = piece
    return piece.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) { vap_sentencepiece_id(model, $0.baseAddress, $0.count) }
    }
  }

  /// The piece with an id; nil if `id` is not in `0..<pieceCount`.
  package func piece(withID id: Int32) -> String? {
    var count = 0
    guard let start = vap_sentencepiece_piece(model, id, &count) else { return nil }
    return String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
  }

  /// Whether a piece stands for one byte of a character that the vocabulary lacks.
  package func isByte(_ id: Int32) -> Bool { vap_sentencepiece_is_byte(model, id) }

  /// Whether a piece stands for something other than its text, which is therefore never split off as this piece.
  func isLiteral(_ id: Int32) -> Bool {
    vap_sentencepiece_is_byte(model, id) || vap_sentencepiece_is_control(model, id)
  }

  /// The most probable pieces of `text` after the model's normalisation; unknown runs appear as they are.
  package func pieces(of text: String) throws(TokenizerError) -> [String] {
    var pieces: [String] = []
    var message: UnsafeMutablePointer<CChar>?
    var text = text
    let succeeded = withUnsafeMutablePointer(to: &pieces) { pieces in
      text.withUTF8 { bytes in
        bytes.withMemoryRebound(to: CChar.self) { characters in
          vap_sentencepiece_encode(model, characters.baseAddress, characters.count, Self.appendPiece, pieces, &message)
        }
      }
    }
    guard succeeded else { throw .encodingFailed(path: path, why: Self.take(message)) }
    return pieces
  }

  /// Appends a piece to the `[String]` that `context` points to.
  private static let appendPiece: vap_sentencepiece_visitor = { context, piece, count in
    let bytes = UnsafeRawBufferPointer(start: piece, count: count)
    context?.assumingMemoryBound(to: [String].self).pointee.append(String(decoding: bytes, as: UTF8.self))
  }

  /// The text of a message of the library, which is freed.
  private static func take(_ message: UnsafeMutablePointer<CChar>?) -> String {
    guard let message else { return "no reason given" }
    defer { vap_sentencepiece_free_text(message) }
    return String(cString: message)
  }
}

extension SentencePieceModel.Normalization {
  /// A serialised `normalizer_spec`: the library merges it into the one of the model that it follows.
  fileprivate var override: [UInt8] {
    switch self {
    case .ofModel: []
    // add_dummy_prefix: false
    case .withoutDummyPrefix: [0x1A, 2, 0x18, 0]
    // precompiled_charsmap: "", add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces: false
    case .none: [0x1A, 8, 0x12, 0, 0x18, 0, 0x20, 0, 0x28, 0]
    }
  }
}
