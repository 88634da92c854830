import Checkpoints
import Compute
import Encoders
import Foundation
import Layers
import Tensors
import Tokenizers

/// Cases `tokenizer` and `text_encoder`.
struct TextCases {
  let goldens: GoldenSet

  private func tokenizer() throws -> T5Tokenizer { try T5Tokenizer(directory: "\(goldens.checkpoint)/tokenizer") }

  func runTokenizer(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let tokenizer = try tokenizer()
    let tensors = try golden.openTensors()
    for item in golden.info["items"]?.array ?? [] {
      guard let index = item["index"]?.int, let text = item["text"]?.string, let ids = item["ids"]?.ints else {
        throw golden.failure("has an item without index, text or ids")
      }
      let name = String(format: "%02d", index)
      comparison.compare("ids of item \(name)", try tokenizer.encodeUnpadded(text).map(Int.init), ids)
      for length in golden.info["max_lengths"]?.ints ?? [] {
        let encoded = try tokenizer.encode(text, maxLength: length)
        comparison.compare(
          "ids_\(name)_max\(length)", encoded.ids.map(Int.init), try tensors["ids_\(name)_max\(length)"].integers())
        comparison.compare(
          "mask_\(name)_max\(length)", encoded.attentionMask.map(Int.init),
          try tensors["mask_\(name)_max\(length)"].integers())
      }
    }
  }

  func runEncoder(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let encoder = try goldens.loadTextEncoder().encoder
    let tokenizer = try tokenizer()
    let tensors = try golden.openTensors()
    for item in golden.info["items"]?.array ?? [] {
      guard let name = item["name"]?.string, let text = item["text"]?.string, let length = item["max_length"]?.int
      else {
        throw golden.failure("has an item without name, text or max_length")
      }
      let ids = try tokenizer.encode(text, maxLength: length).ids.map(Int.init)
      comparison.compare("\(name).input_ids", ids, try tensors["\(name).input_ids"].integers())
      let observed = ObservedTensors()
      let output = try encoder([ids], context: RunContext(observer: observed.note))
      for (stage, tensor) in observed.tensors {
        if let expected = try tensors.optional("\(name).\(stage)") {
          comparison.compare("\(name).\(stage)", tensor, expected, .forward)
        }
      }
      comparison.compare(
        "\(name).last_hidden_state", output, try tensors["\(name).last_hidden_state"], .forward)
    }
  }
}
