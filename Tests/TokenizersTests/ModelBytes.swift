import Foundation
import TestSupport

@testable import Tokenizers

/// Builds serialised SentencePiece models, well-formed or not.
struct ModelBytes {
  enum Kind: UInt8 {
    case normal = 1
    case unknown, control, userDefined
    case byte = 6
  }

  var pieces: [(String, Float, Kind)] = [
    ("<pad>", 0, .control), ("</s>", 0, .control), ("<unk>", 0, .unknown), ("\u{2581}", -3, .normal),
    ("\u{2581}cat", -1, .normal), ("s", -2, .normal),
  ]
  /// The compiled normalisation table; empty for none.
  var table: [UInt8] = []
  var hasNormalizer = true

  var bytes: [UInt8] {
    var result: [UInt8] = []
    for (piece, score, kind) in pieces {
      let scoreBytes = withUnsafeBytes(of: score.bitPattern.littleEndian) { Array($0) }
      result += Self.field(1, Self.field(1, Array(piece.utf8)) + [0x15] + scoreBytes + [0x18, kind.rawValue])
    }
    if hasNormalizer { result += Self.field(3, Self.field(1, Array("test".utf8)) + Self.field(2, table)) }
    return result
  }

  static func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
    [number << 3 | 2] + varint(content.count) + content
  }

  static func varint(_ value: Int) -> [UInt8] {
    value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + varint(value >> 7)
  }

  /// Loads a model with these bytes.
  static func load(_ bytes: [UInt8]) throws -> SentencePieceModel {
    let directory = try TemporaryDirectory()
    return try SentencePieceModel(path: directory.write(bytes, to: "spiece.model"))
  }
}
