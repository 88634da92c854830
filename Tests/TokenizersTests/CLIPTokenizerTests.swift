import Checkpoints
import Compute
import Foundation
import TestSupport
import Testing

@testable import Tokenizers

@Suite("CLIP tokenizer")
struct CLIPTokenizerTests {
  static let table = Fixtures.path("evaluation/bpe_tiny.txt.gz")

  struct Case: Sendable, CustomTestStringConvertible {
    let text: String
    let ids: [Int32]
    var testDescription: String { text }
  }

  static let cases: [Case] = {
    guard let file = try? ConfigFile(path: Fixtures.path("evaluation/cases.json")),
      case .object(let document) = file.contents, case .object(let sets)? = document["cases"],
      case .object(let tokenizer)? = sets["tokenizer"], case .list(let items)? = tokenizer["tiny"]
    else { return [] }
    return items.compactMap { item in
      guard case .object(let fields) = item, case .string(let text)? = fields["text"],
        case .list(let ids)? = fields["ids_no_special"]
      else { return nil }
      return Case(text: text, ids: ids.compactMap { if case .number(let digits) = $0 { Int32(digits) } else { nil } })
    }
  }()

  @Test("recorded texts have the recorded ids", arguments: cases)
  func recorded(item: Case) throws {
    #expect(try CLIPTokenizer(file: Self.table).ids(of: item.text) == item.ids)
  }

  @Test("the cases are there, and the ids of the marks follow those of the merges")
  func marks() throws {
    #expect(Self.cases.count == 26)
    let tokenizer = try CLIPTokenizer(file: Self.table)
    #expect(tokenizer.startID == 1022 && tokenizer.endID == 1023 && tokenizer.vocabularySize == 1024)
  }

  @Test("a sequence opens and closes with its marks and is filled with zeros; what is too long is cut and counted")
  func padding() throws {
    let tokenizer = try CLIPTokenizer(file: Self.table)
    let short = tokenizer.encode("a photo of a cat")
    #expect(short.ids == [1022, 320, 816, 531, 539, 320, 66, 536, 1023] + [Int32](repeating: 0, count: 68))
    #expect(short.attentionMask.map(Int.init).reduce(0, +) == 9 && short.droppedCount == 0)
    let cut = tokenizer.encode("a photo of a cat", length: 6)
    #expect(cut.ids == [1022, 320, 816, 531, 539, 1023] && cut.droppedCount == 3)
    #expect(tokenizer.encode("", length: 4).ids == [1022, 1023, 0, 0])
  }

  @Test("the merges may be plain text, and a vocabulary beside them must agree")
  func transformersLayout() throws {
    let directory = try TemporaryDirectory()
    try directory.write("#version: 0.2\na b\nab c</w>\n", to: "merges.txt")
    let tokenizer = try CLIPTokenizer(directory: directory.path)
    #expect(tokenizer.ids(of: "abc ab") == [513, 64, 321])
    // "ab" is 512, "abc</w>" 513; the last word is "a" and "b</w>", because no pair joins them.
    #expect(tokenizer.startID == 514)
    try directory.write(#"{"<|startoftext|>": 0}"#, to: "vocab.json")
    #expect(throws: TokenizerError.self) { try CLIPTokenizer(directory: directory.path) }
    try directory.write(#"{"<|startoftext|>": 514}"#, to: "vocab.json")
    #expect(throws: TokenizerError.self) { try CLIPTokenizer(directory: directory.path) }
    #expect(throws: (any Error).self) { try CLIPTokenizer(directory: directory.file("none")) }
  }

  /// The published loop: find the pair of lowest rank, join all its occurrences from left to right, start over.
  private static func joined(_ word: String, _ ranks: [String: Int]) -> [String] {
    var parts = word.map(String.init)
    parts[parts.count - 1] += "</w>"
    while true {
      let pairs = zip(parts, parts.dropFirst()).map { "\($0) \($1)" }
      guard let best = pairs.filter({ ranks[$0] != nil }).min(by: { ranks[$0, default: 0] < ranks[$1, default: 0] })
      else {
        return parts
      }
      var next: [String] = []
      var index = 0
      while index < parts.count {
        if index + 1 < parts.count, "\(parts[index]) \(parts[index + 1])" == best {
          next.append(parts[index] + parts[index + 1])
          index += 2
        } else {
          next.append(parts[index])
          index += 1
        }
      }
      parts = next
    }
  }

  @Test("words are joined as by the published loop", arguments: 0..<300)
  func mergeOrder(seed: Int) throws {
    let lines = String(decoding: try GzipFile.contents(of: Self.table, limit: 1 << 20), as: UTF8.self)
      .split(separator: "\n").dropFirst().map(String.init)
    let ranks = Dictionary(uniqueKeysWithValues: lines.enumerated().map { ($1, $0) })
    let ids = Dictionary(uniqueKeysWithValues: lines.enumerated().map { ($1.filter { $0 != " " }, Int32(512 + $0)) })
    var generator = RandomGenerator(seed: UInt64(seed))
    let letters = Array("ethinosarlg")
    let word = String(
      (0...generator.drawIndex(below: 30)).map { _ in letters[generator.drawIndex(below: letters.count)] })
    let expected = Self.joined(word, ranks).map { part in
      ids[part] ?? Int32(part.utf8.first! - 0x21) + (part.hasSuffix("</w>") ? 256 : 0)
    }
    #expect(try CLIPTokenizer(file: Self.table).ids(of: word) == expected, "\(word)")
  }

  @Test("a word of a megabyte is split in a moment")
  func longWords() throws {
    let tokenizer = try CLIPTokenizer(file: Self.table)
    let start = ContinuousClock.now
    #expect(tokenizer.encode(String(repeating: "photosofthecat", count: 75_000)).droppedCount > 100_000)
    #expect(tokenizer.encode(String(repeating: "e", count: 1_000_000)).ids.count == 77)
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test(
    "broken tables are refused by file and line",
    arguments: [
      ("", 1), ("a b\n", 1), ("#\na b\nab\n", 3), ("#\na b c\n", 2), ("#\na b\nzz q\n", 3), ("#\na b\n\nc d\n", 3),
    ])
  func brokenTables(text: String, line: Int) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(text, to: "merges.txt")
    let error = #expect(throws: TokenizerError.self) { try CLIPTokenizer(file: path) }
    guard case .malformedTable(path, line, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("cut and damaged archives, pointers and archives that expand without end are refused")
  func brokenArchives() throws {
    let directory = try TemporaryDirectory()
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: Self.table)))
    var damaged = bytes
    damaged[bytes.count / 2] ^= 0x55
    for bad in [Array(bytes.prefix(2)), Array(bytes.prefix(bytes.count / 2)), Array(bytes.dropLast(3)), damaged] {
      let path = try directory.write(bad, to: "bpe.txt.gz")
      #expect(throws: TokenizerError.self) { try CLIPTokenizer(file: path) }
    }
    let pointer = try directory.write("version https://git-lfs.github.com/spec/v1\n", to: "bpe.txt")
    #expect(throws: TokenizerError.otherFormat(path: pointer, .gitLFSPointer)) { try CLIPTokenizer(file: pointer) }
    #expect(throws: TokenizerError.self) { try GzipFile.contents(of: Self.table, limit: 1000) }
  }
}

@Suite("Cleaning of captions")
struct CaptionCleaningTests {
  // From ftfy 6.3.1 and Python's html module, as the published tokenizer calls them.
  @Test(
    "text is repaired, unescaped, collapsed and lower-cased as by the published tokenizer",
    arguments: [
      ("“Curly” ‘quotes’ and ʼn ŉ", "\"curly\" 'quotes' and 'n 'n"),
      ("\u{FB01}ne \u{FB02}ow o\u{FB03}ce \u{FB06} ĳ", "fine flow office st ij"),
      ("ＬＯＵＤ\u{3000}ＮＯＩＳＥＳ \u{FF76}\u{FF9E}", "loud noises \u{30AC}"),
      ("a &amp;amp;amp;lt; b", "a < b"),
      ("<b> &amp;amp; &eacute; &notit; &copy2024 &COPY", "<b> & é ¬it; ©2024 ©"),
      (
        "x &#8217; &#x27; &#128; &#0; &#xD800; &#11; &#x1F600; &#99999999999;",
        "x ' ' € \u{FFFD} \u{FFFD} \u{1F600} \u{FFFD}"
      ),
      ("line\r\none\rtwo\u{2028}three\u{85}four", "line one two three…four"),
      ("\u{1B}[31mred\u{1B}[0m \u{7}bell \u{FEFF}bom \u{FFFC}", "red bell bom"),
      ("ΟΔΥΣΣΕΥΣ ΣΑΣ Σ. ΑΣ'", "οδυσσευς σας σ. ας'"),
      ("\u{130}stanbul STRASSE \u{1E9E}", "i\u{307}stanbul strasse ß"),
      ("tab\tsep\u{1F}\u{1E} nbsp\u{A0}thin\u{2009}end", "tab sep nbsp thin end"),
      ("e\u{301} A\u{30A} \u{1100}\u{1161}", "\u{E9} \u{E5} \u{AC00}"),
      ("&hellip; &nbsp; &alpha;&Alpha; &apos;", "… αα '"),
      ("& &; &# &#x &#; &am &amp", "& &; &# &#x &#; &am &"),
      ("  ", ""),
      ("<a>\nb &amp; c", "<a> b & c"),
      ("naïve &EACUTE; &Dagger; &SZLIG;", "naïve é ‡ ss"),
      ("\u{2029}\u{2029} para", "para"),
      ("①½ \u{FF8A}\u{FF9D} \u{FFE1} \u{FFE5}", "①½ \u{30CF}\u{30F3} £ ¥"),
      ("ǅ ǆ Ǉ", "dž dž lj"),
    ])
  func cleaning(text: String, expected: String) {
    #expect(Array(CaptionCleaning.cleaned(text).unicodeScalars) == Array(expected.unicodeScalars))
  }
}
