import Checkpoints
import Foundation
import TestSupport
import Testing

@testable import VideoTransformers

@Suite("Wan configuration")
struct WanConfigurationTests {
  private func decode(_ fields: [String: Any]) throws -> WanConfiguration {
    let directory = try TemporaryDirectory()
    var all: [String: Any] = [
      "num_layers": 3, "num_attention_heads": 4, "attention_head_dim": 16, "image_dim": 32, "added_kv_proj_dim": 64,
    ]
    all.merge(fields) { $1 }
    let path = try directory.write(try JSONSerialization.data(withJSONObject: all), to: "config.json")
    return try ConfigFile.decode(WanConfiguration.self, at: path)
  }

  private func isInvalid(_ field: String, _ value: Any) -> Bool {
    do {
      _ = try decode([field: value])
      return false
    } catch {
      if case .invalid(field, _)? = (error as? ConfigError)?.problem { return true }
      return false
    }
  }

  @Test("the published configuration decodes, with absent fields at the class defaults")
  func publishedDecodes() throws {
    let configuration = try ConfigFile.decode(
      WanConfiguration.self, at: Fixtures.path("wan-tiny/checkpoint/transformer/config.json"))
    #expect(configuration.hiddenSize == 64)
    #expect(configuration.inChannels == 36)
    #expect(configuration.outChannels == 16)
    #expect(configuration.frequencySize == 128)
    #expect(configuration.expertLayers == [0, 2, 4])
    let defaults = try decode([:])
    #expect(defaults.feedForwardSize == 13_824)
    #expect(defaults.normalizesCrossAttention)
    #expect(defaults.expertLayers.isEmpty)
    #expect(configuration.base.hasExpert == false)
  }

  @Test("a model gives as many channels as it takes unless it says otherwise")
  func outChannels() throws {
    #expect(try decode(["in_channels": 36]).outChannels == 36)
    #expect(try decode(["in_channels": 36, "out_channels": 16]).outChannels == 16)
  }

  @Test("absurd sizes, odd heads and expert layers that are not there are refused with the field's name")
  func absurdSizes() {
    #expect(isInvalid("num_layers", 1_000_000_000))
    #expect(isInvalid("num_attention_heads", 0))
    #expect(isInvalid("num_attention_heads", Int.max))
    #expect(isInvalid("ffn_dim", -1))
    #expect(isInvalid("eps", 0))
    #expect(isInvalid("patch_size", [2, 2, 2]))
    #expect(isInvalid("patch_size", [1, 2]))
    #expect(isInvalid("patch_size", [1, 0, 2]))
    #expect(isInvalid("block_idx_with_mot_ref", [0, 3]))
    #expect(isInvalid("block_idx_with_mot_ref", [1, 1]))
  }

  @Test("an odd head size is refused")
  func oddHead() {
    #expect { try decode(["attention_head_dim": 15, "added_kv_proj_dim": 60]) } throws: {
      ($0 as? ConfigError)?.message.contains("attention_head_dim") == true
    }
  }

  @Test("text-to-video models and variants that this program does not compute are refused, not ignored")
  func unsupportedVariants() {
    #expect(isInvalid("image_dim", NSNull()))
    #expect(isInvalid("added_kv_proj_dim", NSNull()))
    #expect(isInvalid("added_kv_proj_dim", 32))
    #expect(isInvalid("pos_embed_seq_len", 514))
    #expect(isInvalid("qk_norm", "rms_norm"))
    #expect(isInvalid("attention_head_dim_mot_ref", 8))
    #expect(isInvalid("reference_train_mode", "other"))
    #expect(isInvalid("num_ref_embeddings", 3))
  }
}
