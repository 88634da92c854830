import Checkpoints
import Compute
import Foundation
import Runtime
import Tensors
import TestSupport
import Testing

@testable import Backbones

@Suite("Small pipelines")
struct SmallPipelineTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @discardableResult
  private func write(_ name: String, seed: UInt64 = 42) throws -> String {
    var pipeline = SmallPipeline()
    (pipeline.size, pipeline.frames, pipeline.seed) = (16, 9, seed)
    pipeline.words = ["A", "red", "star"]
    try pipeline.write(to: directory.file(name))
    return directory.file(name)
  }

  @Test("a new pipeline opens with all its components, and the same seed gives the same bytes")
  func fresh() throws {
    let (first, second, other) = (try write("a"), try write("b"), try write("c", seed: 7))
    let backbone = try BackboneKind(directory: first).open(directory: first)
    #expect(try backbone.components().map(\.name) == ["transformer", "vae", "text_encoder"])
    #expect(!backbone.hasExpert)
    for file in [
      "vae/diffusion_pytorch_model.safetensors", "transformer/diffusion_pytorch_model.safetensors",
      "text_encoder/model.safetensors", "tokenizer/spiece.model", "scheduler/scheduler_config.json",
    ] {
      let data = try Data(contentsOf: URL(fileURLWithPath: "\(first)/\(file)"))
      #expect(try Data(contentsOf: URL(fileURLWithPath: "\(second)/\(file)")) == data, "\(file)")
      if file.hasSuffix("safetensors") {
        #expect(try Data(contentsOf: URL(fileURLWithPath: "\(other)/\(file)")) != data, "\(file)")
      }
    }
  }

  @Test("a new transformer predicts nothing yet, and its blocks' gates are closed")
  func closedGates() throws {
    let weights = try WeightStore(directory: "\(try write("a"))/transformer")
    for key in [
      "proj_out.weight", "transformer_blocks.3.norm1.linear.weight", "transformer_blocks.0.norm2.linear.bias",
    ] {
      #expect(try weights.tensor(named: key).squaredNorm() == 0, "\(key)")
    }
    #expect(try weights.tensor(named: "transformer_blocks.0.attn1.to_q.weight").squaredNorm() > 0)
  }

  @Test("a pack takes given components, stores them in the type that is asked for, and keeps everything else")
  func pack() throws {
    let (first, other) = (try write("a"), try write("b", seed: 7))
    var pack = PipelinePack(model: first)
    pack.autoencoder = "\(other)/vae"
    let target = directory.file("pack")
    let bytes = try pack.write(to: target)
    #expect(bytes > 5_000_000 && bytes < 11_000_000)
    let (vae, expected) = (try WeightStore(directory: "\(target)/vae"), try WeightStore(directory: "\(other)/vae"))
    #expect(vae.names == expected.names)
    for name in vae.names {
      let tensor = try vae.tensor(named: name)
      #expect(tensor.dtype == .float16)
      #expect(tensor.floats() == (try expected.tensor(named: name).stored(as: .float16).floats()))
    }
    for file in ["text_encoder/model.safetensors", "tokenizer/spiece.model", "model_index.json"] {
      #expect(
        try Data(contentsOf: URL(fileURLWithPath: "\(target)/\(file)"))
          == Data(contentsOf: URL(fileURLWithPath: "\(first)/\(file)")))
    }
    pack.transformer = directory.file("nothing")
    #expect(throws: BackboneFailure.self) { try pack.write(to: directory.file("other")) }
  }
}
