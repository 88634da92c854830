import Checkpoints
import Compute
import Foundation
import Runtime
import TestSupport
import Testing

@testable import Tokenizers

@Suite struct SentencePieceModelTests {
  private static let path = Fixtures.path("cogvideox-tiny/checkpoint/tokenizer/spiece.model")

  /// The reason for which a model is refused; nil if it loads.
  private func refusal(_ bytes: [UInt8]) throws -> String? {
    do {
      _ = try ModelBytes.load(bytes)
      return nil
    } catch TokenizerError.malformedModel(_, _, let why), TokenizerError.modelRefused(_, let why) {
      return why
    }
  }

  @Test("pieces and ids of a small model") func pieces() throws {
    let model = try ModelBytes.load(ModelBytes().bytes)
    #expect(model.pieceCount == 6)
    #expect(model.unknownID == 2)
    #expect(try model.pieces(of: "cats  cat") == ["\u{2581}cat", "s", "\u{2581}cat"])
    #expect(model.id(of: "\u{2581}cat") == 4)
    #expect(model.id(of: "dog") == 2)
    #expect(model.piece(withID: 5) == "s")
    #expect(model.piece(withID: 6) == nil)
    #expect(model.piece(withID: -1) == nil)
    #expect(!model.isByte(5))
  }

  @Test("without the dummy prefix a text starts as it is") func dummyPrefix() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(ModelBytes().bytes, to: "spiece.model")
    #expect(try SentencePieceModel(path: path).pieces(of: "s") == ["\u{2581}", "s"])
    #expect(try SentencePieceModel(path: path, normalization: .withoutDummyPrefix).pieces(of: "s") == ["s"])
  }

  @Test("M11: an empty file, and a model without pieces, are refused") func noPieces() throws {
    #expect(try refusal([]) == "it has no pieces")
    #expect(try refusal(ModelBytes(pieces: []).bytes) == "it has no pieces")
  }

  @Test("M11: a model cut at any 64th of its length is refused", arguments: 0..<64) func cut(part: Int) throws {
    let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: Self.path)))
    #expect(try refusal(Array(bytes.prefix(bytes.count * part / 64))) != nil)
  }

  @Test("M11: a model cut between two pieces is refused") func cutBetweenPieces() throws {
    #expect(try refusal(ModelBytes(hasNormalizer: false).bytes) == "its normaliser is missing")
  }

  @Test("M11: contradictory pieces are refused") func contradictoryPieces() throws {
    var twice = ModelBytes()
    twice.pieces.append(("s", -1, .normal))
    #expect(try refusal(twice.bytes) != nil)
    var empty = ModelBytes()
    empty.pieces.append(("", -1, .normal))
    #expect(try refusal(empty.bytes) != nil)
    #expect(try refusal(ModelBytes(pieces: [("a", -1, .normal)]).bytes) != nil, "no unknown piece")
    var twoUnknown = ModelBytes()
    twoUnknown.pieces.append(("<unk2>", 0, .unknown))
    #expect(try refusal(twoUnknown.bytes) != nil)
  }

  @Test("M11: scores that are not numbers do no harm", arguments: [Float.nan, .infinity, -.infinity])
  func scores(score: Float) throws {
    var model = ModelBytes()
    model.pieces[4].1 = score
    model.pieces[5].1 = score
    if let model = try? ModelBytes.load(model.bytes) { _ = try? model.pieces(of: "cats and cats") }
  }

  @Test(
    "M11: malformed messages are refused",
    arguments: [
      [0x0A], [0x0A, 0x7F], [0x0B], [0x0F, 0], Array(repeating: 0xFF, count: 20), [0x0D, 1], [0x09, 1, 2],
    ]
      as [[UInt8]])
  func malformed(bytes: [UInt8]) throws {
    #expect(try refusal(bytes) != nil)
    #expect(try refusal(ModelBytes().bytes + bytes) != nil)
  }

  /// A table whose trie has one unit for each byte from the root, and the units of `changes`.
  private func table(_ changes: [Int: UInt32], unitCount: Int = 512, texts: [UInt8] = [0x61, 0]) -> [UInt8] {
    var units = Array(repeating: UInt32(0x8000_0000), count: unitCount)
    for (index, unit) in changes { units[index] = unit }
    func bytes(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
    return bytes(UInt32(4 * unitCount)) + units.flatMap(bytes) + texts
  }

  /// The root links to 256; from there `A` leads to the text at `value`.
  private func mapping(value: UInt32) -> [Int: UInt32] {
    [0: 256 << 10, 256 + 0x41: 0x41 | 0x100 | 1 << 10, (256 + 0x41) ^ 1: 0x8000_0000 | value]
  }

  @Test("a closed normalisation table is used") func closedTable() throws {
    var bytes = ModelBytes()
    bytes.table = table(mapping(value: 0))
    bytes.pieces.append(("a", -1, .normal))
    #expect(try ModelBytes.load(bytes.bytes).pieces(of: "AsA") == ["\u{2581}", "a", "s", "a"])
  }

  @Test("M11: a normalisation table with a link or text outside of it is refused") func openTable() throws {
    func refusal(_ table: [UInt8]) throws -> String? {
      var model = ModelBytes()
      model.table = table
      return try self.refusal(model.bytes)
    }
    let link = "a link leads out of the normalisation table"
    let text = "a text lies outside of the normalisation table"
    #expect(try refusal(table([0: 512 << 10])) == link)
    #expect(try refusal(table([0: 0x8000_0000 | 512 << 10])) == link)
    #expect(try refusal(table([0: 256 << 10, 300: 0x1F_FFFF << 10 | 0x200])) == link)
    #expect(try refusal(table(mapping(value: 2))) == text)
    #expect(try refusal(table([0: 0x100 | 256 << 10])) == nil)
    #expect(try refusal(table([0: 256 << 10, 256: 7])) == nil)
    var unmarked = mapping(value: 0)
    unmarked[(256 + 0x41) ^ 1] = 0
    #expect(try refusal(table(unmarked)) == text)
    #expect(try refusal(table(mapping(value: 0), texts: [0x61])) == "the normalisation table's last text has no end")
    #expect(try refusal([1, 2, 3]) == "the normalisation table is cut short")
    let wrongSize = "the normalisation table gives a wrong size for its trie"
    #expect(try refusal([0xFF, 0xFF, 0xFF, 0xFF, 0]) == wrongSize)
    #expect(try refusal([2, 0, 0, 0, 0, 0, 0]) == wrongSize)
    #expect(try refusal([0, 0, 0, 0, 0]) == wrongSize)
  }

  @Test("M11: flipped bits in a model are refused or harmless, for 200 seeds") func flippedBits() throws {
    let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: Self.path)))
    let directory = try TemporaryDirectory()
    var generator = RandomGenerator(seed: 11)
    for _ in 0..<200 {
      var damaged = bytes
      // Half of the flips go to the first pieces, the others anywhere.
      for limit in [4000, bytes.count] {
        let bit = generator.drawIndex(below: 8 * limit)
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      }
      let path = try directory.write(damaged, to: "spiece.model")
      guard let model = try? SentencePieceModel(path: path) else { continue }
      _ = try? model.pieces(of: "A caf\u{E9} \u{FB01}\u{2460} \u{1F600} horse e\u{301}")
    }
  }

  @Test("M11: an LFS pointer or a web page in place of a model is named as such") func otherFormats() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write("version https://git-lfs.github.com/spec/v1\n", to: "spiece.model")
    #expect(throws: TokenizerError.otherFormat(path: path, .gitLFSPointer)) { try SentencePieceModel(path: path) }
    try directory.write("<html>", to: "spiece.model")
    #expect(throws: TokenizerError.otherFormat(path: path, .html)) { try SentencePieceModel(path: path) }
  }

  @Test("M11: a file too large for a model is refused unread") func tooLarge() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write([], to: "spiece.model")
    #expect(truncate(path, 65 << 20) == 0)
    #expect(throws: TokenizerError.tooLarge(path: path, byteCount: 65 << 20, limit: 64 << 20)) {
      try SentencePieceModel(path: path)
    }
  }

  @Test("a missing file is reported as missing") func missing() {
    #expect(throws: FileFailure(path: "/nowhere/spiece.model", action: "open", code: ENOENT)) {
      try SentencePieceModel(path: "/nowhere/spiece.model")
    }
  }
}
