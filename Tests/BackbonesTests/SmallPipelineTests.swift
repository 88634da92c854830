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

  @Test("numbers that float16 cannot hold are refused by name, and nothing is left; bfloat16 holds them")
  func tooLargeNumbers() throws {
    let first = try write("a")
    let vae = try WeightStore(directory: "\(first)/vae")
    let large = try #require(vae.names.sorted().last)
    let tensors = try vae.names.map { name in
      let tensor = try vae.tensor(named: name)
      return (name: name, tensor: name == large ? Tensor.filled(tensor.shape, with: 1e6) : tensor)
    }
    let other = directory.file("vae")
    try Folder.make(other)
    try FileManager.default.copyItem(atPath: "\(first)/vae/config.json", toPath: "\(other)/config.json")
    try WeightsFolder.write(tensors, to: other)
    var pack = PipelinePack(model: first)
    pack.autoencoder = other
    let text = message { try pack.write(to: directory.file("pack")) }
    #expect(text.contains("'\(large)'") && text.contains("--dtype bfloat16 or float32"), "\(text)")
    #expect(!FileManager.default.fileExists(atPath: directory.file("pack")))
    pack.dtype = .bfloat16
    try pack.write(to: directory.file("pack"))
  }

  @Test("a Wan pipeline is told as what it is")
  func packOfWan() throws {
    let pack = PipelinePack(model: Fixtures.path("wan-tiny/checkpoint"))
    let text = message { try pack.write(to: directory.file("pack")) }
    #expect(text.contains("is a Wan pipeline") && text.contains("CogVideoX pipelines only"), "\(text)")
  }
}
