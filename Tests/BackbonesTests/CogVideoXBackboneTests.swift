import Checkpoints
import Foundation
import Layers
import Runtime
import Tensors
import TestSupport
import Testing
import VideoTransformers

@testable import Backbones

@Suite("CogVideoX backbone")
struct CogVideoXBackboneTests {
  private static let checkpoint = Fixtures.path("cogvideox-tiny/checkpoint")
  private let copies = CheckpointCopies(of: checkpoint)

  @Test("sizes that the model cannot make are refused with the sizes it can")
  func geometry() throws {
    let backbone = try CogVideoXBackbone(directory: Self.checkpoint)
    #expect(throws: BackboneFailure.size(ClipGeometry(height: 50, width: 64, frames: 9), multiple: 16)) {
      try backbone.check(ClipGeometry(height: 50, width: 64, frames: 9), referenceCount: 1)
    }
    #expect(throws: BackboneFailure.fixedSize(ClipGeometry(height: 64, width: 64, frames: 9), height: 48, width: 64)) {
      try backbone.check(ClipGeometry(height: 64, width: 64, frames: 9), referenceCount: 1)
    }
    #expect(throws: BackboneFailure.frames(10, multiple: 4)) {
      try backbone.check(ClipGeometry(height: 48, width: 64, frames: 10), referenceCount: 1)
    }
    for (frames, example) in [(100_000, "99997"), (10, "9"), (0, "1"), (-7, "1")] {
      #expect(BackboneFailure.frames(frames, multiple: 4).message.contains("for example \(example),"))
    }
    #expect(throws: BackboneFailure.references(4, limit: 3)) {
      try backbone.check(ClipGeometry(height: 48, width: 64, frames: 9), referenceCount: 4)
    }
    try backbone.check(ClipGeometry(height: 48, width: 64, frames: 13), referenceCount: 3)
  }

  @Test("M06: missing and unexpected tensors are listed and nothing is loaded")
  func missingTensors() throws {
    let path = try copies.copy(["num_layers": 4])
    let text = message { _ = try CogVideoXBackbone(directory: path).loadDenoiser(observer: { _ in }) }
    #expect(text.contains("missing tensors"))
    #expect(text.contains("transformer_blocks.3."))
    let smaller = try copies.copy(["num_layers": 2])
    var warnings: [String] = []
    _ = try CogVideoXBackbone(directory: smaller).loadDenoiser { event in
      if case .warning(let text) = event { warnings.append(text) }
    }
    #expect(warnings.first?.contains("not part of the model") == true)
  }

  @Test("M05: a tensor of another shape is named with both shapes")
  func wrongShape() throws {
    let path = try copies.copy(["text_embed_dim": 32, "time_embed_dim": 16])
    let text = message { _ = try CogVideoXBackbone(directory: path).loadDenoiser(observer: { _ in }) }
    #expect(text.contains("has shape"))
    #expect(text.contains("time_embedding.linear_1.weight"))
  }

  @Test("components that do not belong together are refused before any weight is read")
  func disagreeingComponents() throws {
    let text = try copies.copy(changing: "text_encoder/config.json", ["d_model": 64])
    #expect(message { _ = try CogVideoXBackbone(directory: text) }.contains("text_embed_dim"))
    let vae = try copies.copy(changing: "vae/config.json", ["latent_channels": 8])
    #expect(message { _ = try CogVideoXBackbone(directory: vae) }.contains("latent channels"))
  }

  @Test("a missing component is named")
  func missingComponent() throws {
    let path = try copies.copy()
    try FileManager.default.removeItem(atPath: "\(path)/vae/config.json")
    #expect(message { _ = try CogVideoXBackbone(directory: path) }.contains("vae/config.json"))
    #expect(message { _ = try CogVideoXBackbone(directory: "/nonexistent") }.contains("/nonexistent"))
  }

  @Test("noise for a purpose does not depend on what was drawn before")
  func noiseIsKeyed() {
    let noise = SeededNoise(seed: 9)
    let first = noise.noise(for: .reference(1), shape: [4, 5]).floats()
    _ = noise.noise(for: .image, shape: [100])
    #expect(noise.noise(for: .reference(1), shape: [4, 5]).floats() == first)
    let purposes: [NoisePurpose] = [
      .image, .initialLatents, .reference(0), .reference(1), .referenceFirstFrame(0), .sampling(step: 0, draw: 0),
      .sampling(step: 0, draw: 1), .sampling(step: 1, draw: 0),
    ]
    #expect(Set(purposes.map { noise.noise(for: $0, shape: [3]).floats() }).count == purposes.count)
    #expect(
      SeededNoise(seed: 10).noise(for: .image, shape: [3]).floats() != noise.noise(for: .image, shape: [3]).floats())
  }

  @Test("inspection counts parameters and the expert's share")
  func components() throws {
    let components = try CogVideoXBackbone(directory: Self.checkpoint).components()
    #expect(components.map(\.name) == ["transformer", "vae", "text_encoder"])
    #expect(components[0].expertParameters == 167_616)
    #expect(components[0].parameterCount == 419_264)
    #expect(components[0].unexpected.isEmpty)
  }
}
