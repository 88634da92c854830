import CSentencePiece
import Checkpoints
import Runtime

/// A SentencePiece model (`spiece.model`): splits text into the pieces of its vocabulary.
package final class SentencePieceModel: @unchecked Sendable {
  // Sound to share: the library's model is constant after loading, and its encoding keeps no state.
  package let path: String
  private let model: OpaquePointer

  /// The largest published models have a few megabytes.
  private static let maximumByteCount = 64 << 20

  /// Loads the file at `path`. Throws `TokenizerError` or `FileFailure`.
  ///
  /// - Parameter addsDummyPrefix: false keeps the normaliser from putting a space before the text, whatever the model
  ///   says; true leaves that to the model.
  package init(path: String, addsDummyPrefix: Bool = true) throws {
    let file = try MappedFile(path: path)
    guard file.bytes.count <= Self.maximumByteCount else {
      throw TokenizerError.tooLarge(path: path, byteCount: file.bytes.count, limit: Self.maximumByteCount)
    }
    if let format = ForeignFormat(file.bytes) { throw TokenizerError.otherFormat(path: path, format) }
    // Checked and loaded are the same copy: the file may be written to in between.
    var serialized = Array(file.bytes)
    try serialized.withUnsafeBytes { try SentencePieceFile($0, path: path).check() }
    // A message that follows another of the same field is merged into it: normalizer_spec { add_dummy_prefix: false }.
    if !addsDummyPrefix { serialized += [0x1A, 0x02, 0x18, 0x00] }
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
