import Foundation
import Runtime

/// A SentencePiece model made of whole words, for small closed vocabularies: other words fall apart into letters.
package enum WordModel {
  private enum Kind: UInt8 {
    case normal = 1
    case unknown, control
  }

  /// What closes a word without a space.
  private static let marks = [".", ",", "-", "!", "?", "'"]

  /// Writes the files of a `T5Tokenizer`: `spiece.model` and `tokenizer_config.json`.
  ///
  /// - Returns: the number of its tokens.
  @discardableResult
  package static func write(words: [String], to directory: String) throws -> Int {
    let letters = (UInt8(ascii: "a")...UInt8(ascii: "z")).map { String(UnicodeScalar($0)) }
    let pieces: [(String, Float, Kind)] =
      [("<pad>", 0, .control), ("</s>", 0, .control), ("<unk>", 0, .unknown)]
      + words.map { ("\u{2581}\($0)", -1, .normal) } + marks.map { ($0, -1, .normal) }
      + [("\u{2581}", -8, .normal)]
      + (letters + letters.map { $0.uppercased() }).map { ($0, -10, .normal) }
    try AtomicFile.write(Data(bytes(pieces)), to: "\(directory)/spiece.model")
    let settings = """
      {
        "additional_special_tokens": [],
        "eos_token": "</s>",
        "extra_ids": 0,
        "legacy": true,
        "pad_token": "<pad>",
        "tokenizer_class": "T5Tokenizer",
        "unk_token": "<unk>"
      }

      """
    try AtomicFile.write(Data(settings.utf8), to: "\(directory)/tokenizer_config.json")
    return pieces.count
  }

  /// The serialised `ModelProto`: pieces, the trainer's kind of model, and a normaliser that changes nothing but spaces.
  private static func bytes(_ pieces: [(String, Float, Kind)]) -> [UInt8] {
    var result: [UInt8] = []
    for (piece, score, kind) in pieces {
      let bits = score.bitPattern.littleEndian
      let scoreBytes = (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
      result += field(1, field(1, Array(piece.utf8)) + [0x15] + scoreBytes + [0x18, kind.rawValue])
    }
    // trainer_spec: model_type UNIGRAM, ids of unknown, begin (none), end and padding.
    let none: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]
    result += field(2, [0x18, 1] + [0xC0, 0x02, 2] + [0xC8, 0x02] + none + [0xD0, 0x02, 1] + [0xD8, 0x02, 0])
    // normalizer_spec: a name, add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces.
    result += field(3, field(1, Array("identity".utf8)) + [0x18, 1, 0x20, 1, 0x28, 1])
    return result
  }

  /// A field with a length, of a protocol buffer.
  private static func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
    [number << 3 | 2] + varint(content.count) + content
  }

  private static func varint(_ value: Int) -> [UInt8] {
    value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + varint(value >> 7)
  }
}
