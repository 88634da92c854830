import Checkpoints
import Compute
import Foundation
import Media
import Runtime
import Tensors
import TestSupport
import Testing
import VideoTransformers

@testable import Backbones

@Suite("Wan backbone")
struct WanBackboneTests {
  private static let checkpoint = Fixtures.path("wan-tiny/checkpoint")
  private let copies = CheckpointCopies(of: checkpoint)

  @Test("sizes that the model cannot make are refused")
  func refusedGeometries() throws {
    let backbone = try WanBackbone(directory: Self.checkpoint)
    func check(_ height: Int, _ width: Int, _ frames: Int, references: Int = 1) throws {
      try backbone.check(
        ClipGeometry(height: height, width: width, frames: frames), referenceCount: references)
    }
    #expect(throws: BackboneFailure.size(ClipGeometry(height: 40, width: 64, frames: 9), multiple: 16)) {
      try check(40, 64, 9)
    }
    #expect(throws: BackboneFailure.frames(10, multiple: 4)) { try check(48, 64, 10) }
    #expect(throws: BackboneFailure.references(4, limit: 3)) { try check(48, 64, 9, references: 4) }
    let wide = ClipGeometry(height: 48, width: 16 * 1025, frames: 9)
    #expect(throws: BackboneFailure.positions(wide, limit: 1024)) { try backbone.check(wide, referenceCount: 1) }
    try check(480, 832, 81, references: 3)
    #expect(backbone.latentShape(ClipGeometry(height: 32, width: 48, frames: 13)) == [1, 16, 4, 4, 6])
  }

  @Test(
    "components that do not belong together are refused before any weight is read",
    arguments: [
      ("text_encoder/config.json", "d_model", 64, "text_dim"),
      ("image_encoder/config.json", "hidden_size", 64, "image_dim"),
      ("transformer/config.json", "in_channels", 32, "in_channels"),
      ("transformer/config.json", "out_channels", 8, "out_channels"),
      ("image_encoder/config.json", "image_size", 28, "crop_size"),
    ])
  func disagreeingComponents(file: String, field: String, value: Int, named: String) throws {
    let path = try copies.copy(changing: file, [field: value])
    #expect(message { _ = try WanBackbone(directory: path) }.contains(named))
  }

  @Test("a pipeline of an unknown class is named")
  func unknownPipeline() throws {
    let path = try copies.copy(changing: "model_index.json", ["_class_name": "StableDiffusionPipeline"])
    #expect(message { _ = try BackboneKind(directory: path) }.contains("StableDiffusionPipeline"))
  }

  @Test("inspection counts parameters and the expert's share")
  func components() throws {
    let components = try WanBackbone(directory: Self.checkpoint).components()
    #expect(components.map(\.name) == ["transformer", "vae", "text_encoder", "image_encoder"])
    #expect(components[0].parameterCount == 539_392)
    #expect(components[0].expertParameters == 214_736)
    #expect(components.allSatisfy { $0.unexpected.isEmpty })
    #expect(components[0].facts.contains(.init("expert layers", "0, 2, 4")))
  }

  /// A copy of the tiny checkpoint whose transformer has bfloat16 weights in a number of files.
  private func copy(shards: Int) throws -> String {
    let path = try copies.copy(changing: "transformer/config.json", [:])
    let folder = "\(path)/transformer"
    for file in try FileManager.default.contentsOfDirectory(atPath: folder) where file != "config.json" {
      try FileManager.default.removeItem(atPath: "\(folder)/\(file)")
    }
    let store = try WeightStore(directory: Self.checkpoint + "/transformer")
    let tensors = try store.names.sorted().map {
      (name: $0, tensor: try store.tensor(named: $0).stored(as: .bfloat16))
    }
    let stem = "diffusion_pytorch_model"
    guard shards > 1 else {
      try SafetensorsWriter.write(tensors, to: "\(folder)/\(stem).safetensors")
      return path
    }
    var files: [String: String] = [:]
    for shard in 0..<shards {
      let file = "\(stem)-0000\(shard + 1)-of-0000\(shards).safetensors"
      let part = tensors.enumerated().filter { $0.offset % shards == shard }.map(\.element)
      try SafetensorsWriter.write(part, to: "\(folder)/\(file)")
      for (name, _) in part { files[name] = file }
    }
    let index: [String: Any] = ["metadata": ["total_size": 0], "weight_map": files]
    try JSONSerialization.data(withJSONObject: index)
      .write(to: URL(fileURLWithPath: "\(folder)/\(stem).safetensors.index.json"))
    return path
  }

  @Test("bfloat16 weights load without a stray key, from one file and from shards, and predict the same")
  func storedWeights() throws {
    let conditions = try conditions(references: 1)
    func prediction(_ directory: String) throws -> Tensor {
      let backbone = try WanBackbone(directory: directory)
      let denoiser = try backbone.loadDenoiser { if case .warning(let text) = $0 { Issue.record("\(text)") } }
      let latents = Tensor.random(backbone.latentShape(geometry), seed: 8)
      return try denoiser.predict(latents, timestep: 500, conditions, BackboneOptions())
    }
    let (whole, sharded) = (try copy(shards: 1), try copy(shards: 3))
    for directory in [whole, sharded] {
      let transformer = try WanBackbone(directory: directory).components()[0]
      #expect(transformer.unexpected.isEmpty)
      #expect(transformer.parameters == [.bfloat16: 539_392])
    }
    let found = try prediction(whole)
    #expect(try prediction(sharded).floats() == found.floats())
    // bfloat16 keeps 8 bits of a weight.
    expectClose(found, try prediction(Self.checkpoint), absolute: 3e-2, relative: 3e-2)
    #expect(try prediction(Self.checkpoint).floats() != found.floats())
  }

  // MARK: Conditions

  private let geometry = ClipGeometry(height: 32, width: 48, frames: 5)

  private func clip(_ frames: Int, width: Int = 48, height: Int = 32, seed: UInt64) -> VideoClip {
    var generator = RandomGenerator(seed: seed)
    let values = Tensor.normal([frames * width * height * 3], from: &generator).floats()
    return VideoClip(
      size: FrameSize(width: width, height: height), frameRate: .training,
      pixels: values.map { UInt8(max(0, min(255, 128 + 50 * $0))) })
  }

  private func conditions(
    references: Int, guided: Bool = true, picture: VideoClip? = nil, caption: String = "A &amp; b",
    negative: String? = nil
  ) throws -> WanConditions {
    let prompt = VideoPrompt(
      image: clip(1, seed: 1).pixelTensor(), picture: picture, caption: caption, negativeCaption: "bad",
      negativeReferenceCaption: negative,
      references: (0..<references).map { index in
        VideoPrompt.Reference(video: clip(5, seed: UInt64(2 + index)).pixelTensor(), caption: "reference \(index)")
      })
    return try WanBackbone(directory: Self.checkpoint).encode(
      prompt, geometry, noise: SeededNoise(seed: 0), BackboneOptions(isGuided: guided), observer: { _ in })
  }

  @Test("conditions have the shapes of the published pipeline", arguments: 0...3, [true, false])
  func shapes(references: Int, guided: Bool) throws {
    let conditions = try conditions(references: references, guided: guided)
    let batch = guided ? 2 : 1
    #expect(conditions.image.shape == [1, 20, 2, 4, 6])
    #expect(conditions.picture.shape == [1, 17, 32])
    #expect(conditions.text.shape == [batch, 512, 32])
    #expect(conditions.reference?.latents.shape == (references == 0 ? nil : [1, 36, 2 * references, 4, 6]))
    #expect(conditions.reference?.pictures.shape == (references == 0 ? nil : [1, 17 * references, 32]))
    #expect(conditions.reference?.text.shape == (references == 0 ? nil : [batch, 512 * references, 32]))
  }

  @Test("the mask is one on the first latent frame of every clip")
  func mask() throws {
    let conditions = try conditions(references: 2)
    let frames: [Float] = [1, 0]
    for channel in 0..<4 {
      let target = conditions.image[0][channel]
      #expect((0..<2).map { target[$0].floats() } == frames.map { Array(repeating: $0, count: 24) })
      let reference = try #require(conditions.reference).latents[0][16 + channel]
      #expect((0..<4).map { reference[$0].floats()[0] } == frames + frames)
    }
  }

  @Test("captions are cleaned, padding is zero, and references may have a negative caption of their own")
  func texts() throws {
    let escaped = try conditions(references: 1)
    let plain = try conditions(references: 1, caption: "  A & b\n")
    #expect(escaped.text.floats() == plain.text.floats())
    #expect(escaped.text[1].sliced(0, 100..<512).floats().allSatisfy { $0 == 0 })
    let other = try conditions(references: 1, negative: "worse")
    #expect(other.text.floats() == escaped.text.floats())
    let (first, second) = (try #require(escaped.reference).text, try #require(other.reference).text)
    #expect(first[1].floats() == second[1].floats())
    #expect(first[0].floats() != second[0].floats())
  }

  @Test("the image encoder sees the picture at its own size, or else the resized image")
  func pictures() throws {
    let resized = try conditions(references: 0)
    let picture = clip(1, width: 90, height: 70, seed: 9)
    let own = try conditions(references: 0, picture: picture)
    #expect(own.image.floats() == resized.image.floats())
    #expect(own.picture.floats() != resized.picture.floats())
    let same = try conditions(references: 0, picture: clip(1, seed: 1))
    #expect(same.picture.floats() == resized.picture.floats())
    #expect(throws: BackboneFailure.picture(width: 600, height: 2, limit: 256)) {
      try conditions(references: 0, picture: clip(1, width: 600, height: 2, seed: 9))
    }
  }
}
