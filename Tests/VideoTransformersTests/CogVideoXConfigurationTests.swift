import Checkpoints
import Foundation
import TestSupport
import Testing

@testable import VideoTransformers

@Suite("CogVideoX configuration")
struct CogVideoXConfigurationTests {
  private func decode(_ fields: [String: Any]) throws -> CogVideoXConfiguration {
    let directory = try TemporaryDirectory()
    var all: [String: Any] = ["num_layers": 3, "num_attention_heads": 4, "attention_head_dim": 16]
    all.merge(fields) { $1 }
    let path = try directory.write(try JSONSerialization.data(withJSONObject: all), to: "config.json")
    return try ConfigFile.decode(CogVideoXConfiguration.self, at: path)
  }

  private func problem(_ fields: [String: Any]) -> ConfigError.Problem? {
    do {
      _ = try decode(fields)
      return nil
    } catch {
      return (error as? ConfigError)?.problem
    }
  }

  private func isInvalid(_ field: String, _ value: Any) -> Bool {
    if case .invalid(let named, _)? = problem([field: value]) { return named == field }
    return false
  }

  @Test("the published configuration decodes, with absent fields at the class defaults")
  func publishedDecodes() throws {
    let configuration = try ConfigFile.decode(
      CogVideoXConfiguration.self, at: Fixtures.path("cogvideox-tiny/checkpoint/transformer/config.json"))
    #expect(configuration.headCount == 4)
    #expect(configuration.hiddenSize == 64)
    #expect(configuration.expertLayers == [0, 1])
    #expect(configuration.sampleLatentFrames == 3)
    let defaults = try decode([:])
    #expect(defaults.textEmbeddingSize == 4096)
    #expect(defaults.expertLayers.isEmpty)
    #expect(configuration.base.expertLayers.isEmpty)
  }

  @Test("M09: absurd, zero, missing-by-type and wrongly typed sizes are refused with the field's name")
  func absurdSizes() {
    #expect(isInvalid("num_layers", 1_000_000_000))
    #expect(isInvalid("num_attention_heads", 0))
    #expect(isInvalid("attention_head_dim", 20))
    #expect(isInvalid("norm_eps", 0))
    #expect(problem(["num_layers": "three"]) == .wrongType(field: "num_layers", expected: "a whole number"))
    #expect(problem(["num_layers": 2.5]) != nil)
  }

  @Test("M10: expert layers beyond the last block, negative or named twice are refused; any order is fine")
  func expertLayers() throws {
    #expect(isInvalid("block_idx_with_mot_ref", [0, 3]))
    #expect(isInvalid("block_idx_with_mot_ref", [-1]))
    #expect(isInvalid("block_idx_with_mot_ref", [1, 1]))
    #expect(try decode(["block_idx_with_mot_ref": [2, 0]]).expertLayers == [2, 0])
  }

  @Test(
    "variants that this program does not compute are refused, not ignored",
    arguments: [
      "patch_size_t", "ofs_embed_dim", "num_ref_embeddings",
    ])
  func unsupportedVariants(field: String) { #expect(isInvalid(field, 2)) }

  @Test("ablation switches of the published class that are off leave the published coupling")
  func ablations() throws {
    #expect(isInvalid("reference_train_mode", "reference_together"))
    #expect(try decode(["ablation_single_encoder": false]).coupling == .mixture)
  }
}
