import Tokenizers

/// Case `tokenizer`: texts with the published table of merges, and with its beginning.
struct TokenizerCases {
  let goldens: GoldenSet

  func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    guard let table = golden.info["vocab_file"]?.string, !table.contains("/") else {
      throw golden.failure("does not name its table")
    }
    for (name, file, sizeName) in [("full", table, "vocab_size"), ("tiny", "bpe_tiny.txt.gz", "tiny_vocab_size")] {
      // A set may hold one of the tables only.
      guard let items = golden.info[name]?.array else { continue }
      let tokenizer = try CLIPTokenizer(file: "\(goldens.directory)/\(file)")
      comparison.compare("\(name) vocabulary", [tokenizer.vocabularySize], [golden.info[sizeName]?.int ?? 0])
      for item in items {
        guard let text = item["text"]?.string, let ids = item["ids_no_special"]?.ints else {
          throw golden.failure("has an item without text or ids")
        }
        comparison.compare("\(name) '\(text.prefix(40))'", tokenizer.ids(of: text).map(Int.init), ids)
        if let padded = item["padded77_first_last_eot"]?.ints {
          comparison.compare("\(name) '\(text.prefix(40))' padded", tokenizer.encode(text).ids.map(Int.init), padded)
        }
      }
    }
  }
}
