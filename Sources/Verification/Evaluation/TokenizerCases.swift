import Tokenizers

/// Case `tokenizer`: texts with the published table of merges, and with its beginning.
struct TokenizerCases {
  let goldens: GoldenSet

  func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    guard let table = golden.info["vocab_file"]?.string, !table.contains("/"), let full = golden.info["full"]?.array,
      let tiny = golden.info["tiny"]?.array, let size = golden.info["vocab_size"]?.int,
      let tinySize = golden.info["tiny_vocab_size"]?.int
    else { throw golden.failure("does not name its table or its texts") }
    for (name, file, items, size) in [("full", table, full, size), ("tiny", "bpe_tiny.txt.gz", tiny, tinySize)] {
      let tokenizer = try CLIPTokenizer(file: "\(goldens.directory)/\(file)")
      comparison.compare("\(name) vocabulary", [tokenizer.vocabularySize], [size])
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
