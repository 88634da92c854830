import Checkpoints
import Compute
import Encoders
import Layers
import Tensors
import Tokenizers

/// Cases `tokenizer` and `umt5`.
struct WanTextCases {
  private static let forward = Tolerance(norm: 1e-4)

  let goldens: GoldenSet

  private func tokenizer() throws -> UMT5Tokenizer { try UMT5Tokenizer(directory: "\(goldens.checkpoint)/tokenizer") }

  func runTokenizer(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let tokenizer = try tokenizer()
    let contents = try golden.openJSON()
    comparison.compare("pad_id", Int(tokenizer.padID), contents["pad_id"]?.int)
    comparison.compare("eos_id", Int(tokenizer.endID), contents["eos_id"]?.int)
    for item in contents["cases"]?.array ?? [] {
      guard let index = item["index"]?.int, let text = item["text"]?.string, let cleaned = item["cleaned"]?.string
      else {
        throw golden.failure("has an item without index, text or cleaned text")
      }
      let actual = PromptCleaner.cleaned(text)
      // As scalars: strings are equal if they only look alike.
      comparison.compare(
        "cleaned text \(index)", actual.unicodeScalars.map { Int($0.value) },
        cleaned.unicodeScalars.map { Int($0.value) })
      for (name, text) in [("ids_512_unpadded", actual), ("ids_512_unpadded_without_cleaning", text)] {
        let encoded = try tokenizer.encode(text, maxLength: 512)
        comparison.compare(
          "\(name) \(index)", encoded.ids.prefix(encoded.attentionMask.count { $0 == 1 }).map(Int.init),
          item[name]?.ints ?? [])
      }
      let short = try tokenizer.encode(actual, maxLength: 16)
      comparison.compare("ids_16 \(index)", short.ids.map(Int.init), item["ids_16"]?.ints ?? [])
      comparison.compare("mask_16 \(index)", short.attentionMask.map(Int.init), item["mask_16"]?.ints ?? [])
    }
  }

  func runEncoder(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let (encoder, configuration) = try goldens.loadTextEncoder()
    let tokenizer = try tokenizer()
    let tensors = try golden.openTensors()
    for (index, text) in (golden.info["texts"]?.strings ?? []).enumerated() {
      let cleaned = PromptCleaner.cleaned(text)
      comparison.compare(
        "cleaned text \(index)", cleaned == golden.info["cleaned"]?.strings?[index] ? 1 : 0, 1)
      let tokens = try tokenizer.encode(cleaned, maxLength: 512)
      let ids = tokens.ids.map(Int.init)
      let count = tokens.attentionMask.count { $0 == 1 }
      comparison.compare("input_ids[\(index)]", ids, try tensors["input_ids"][index].integers())
      comparison.compare(
        "attention_mask[\(index)]", tokens.attentionMask.map(Int.init), try tensors["attention_mask"][index].integers())
      let observed = ObservedTensors()
      let output = try encoder([ids], keyCounts: [count], context: RunContext(observer: observed.note))
      let name = "prompt\(index)"
      for (stage, tensor) in observed.tensors {
        let recorded = "\(name).\(stage.replacing("hidden_", with: "hidden_states."))"
        // Of the last layer the recorded values are those after the final norm, which is the output.
        guard let expected = try tensors.optional(recorded), stage != "hidden_\(configuration.layerCount)" else {
          continue
        }
        comparison.compare(recorded, tensor[0].sliced(0, 0..<count), expected, Self.forward)
      }
      if let expected = try tensors.optional("\(name).hidden_states.\(configuration.layerCount)") {
        comparison.compare(
          "\(name).hidden_states.\(configuration.layerCount)", output[0].sliced(0, 0..<count), expected, Self.forward)
      }
      comparison.compare(
        "\(name).last_hidden_state_valid", output[0].sliced(0, 0..<count),
        try tensors["\(name).last_hidden_state_valid"], Self.forward)
      if let expected = try tensors.optional("\(name).last_hidden_state_full") {
        comparison.compare("\(name).last_hidden_state_full", output[0], expected, Self.forward)
      }
    }
    let unmasked = try tensors["training_no_mask.prompt0.input_ids"].integers()
    comparison.compare(
      "training_no_mask.prompt0", try encoder([unmasked], context: RunContext())[0],
      try tensors["training_no_mask.prompt0.last_hidden_state_full"], Self.forward)
  }
}

extension Comparison {
  fileprivate mutating func compare(_ name: String, _ actual: Int, _ expected: Int?) {
    compare(name, [actual], expected.map { [$0] } ?? [])
  }
}
