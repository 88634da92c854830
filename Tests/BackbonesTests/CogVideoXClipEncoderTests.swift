import Autoencoders
import Foundation
import Media
import Tensors
import TestSupport
import Testing

@testable import Backbones

@Suite("CogVideoX clip encoder")
struct CogVideoXClipEncoderTests {
  private static let checkpoint = Fixtures.path("cogvideox-tiny/checkpoint")

  private let backbone: CogVideoXBackbone
  private let clip: PreparedClip

  init() throws {
    backbone = try CogVideoXBackbone(directory: Self.checkpoint)
    let picture = VideoClip(
      size: FrameSize(width: 64, height: 48), frameRate: .training, pixels: [UInt8](repeating: 9, count: 64 * 48 * 3))
    clip = PreparedClip(pixels: Tensor.random([1, 3, 9, 48, 64]).scaled(by: 0.3), picture: picture)
  }

  @Test("clips become the moments of their posterior and of their first frame's, unscaled")
  func moments() throws {
    let encoder = try backbone.makeClipEncoder(BackboneOptions(), observer: { _ in })
    let tensors = try encoder.encode(clip)
    #expect(Set(tensors.keys) == ["video", "image"])
    let autoencoder = try backbone.loadAutoencoder(observer: { _ in })
    let posterior = try autoencoder.encode(clip.pixels)
    let video = try #require(tensors["video"])
    let channels = autoencoder.latentChannels
    #expect(
      video.shape == [1, 2 * channels, posterior.mean.shape[2], posterior.mean.shape[3], posterior.mean.shape[4]])
    #expect(LatentPosterior(moments: video).mean.floats() == posterior.mean.floats())
    #expect(LatentPosterior(moments: video).logVariance.floats() == posterior.logVariance.floats())
    let image = try #require(tensors["image"])
    #expect(image.shape[2] == 1)
    #expect(
      LatentPosterior(moments: image).mean.floats()
        == (try autoencoder.encode(clip.pixels.sliced(2, 0..<1)).mean.floats()))
  }

  @Test("captions become padded embeddings; a blank one too")
  func captions() throws {
    let encoder = try backbone.makeClipEncoder(BackboneOptions(), observer: { _ in })
    let shape: [Int] = [1, backbone.transformer.maxTextLength, backbone.transformer.textEmbeddingSize]
    for caption in ["a cat turns into gold", ""] {
      #expect(try encoder.encode(caption: caption, observer: { _ in })["text"]?.shape.extents == shape)
    }
    let encoded = try encoder.encode(clip, caption: "a cat", observer: { _ in })
    #expect(Set(encoded.tensors.keys) == ["video", "image", "text"])
  }

  @Test("captions that are too long are told, but not thousands of them")
  func cutCaptions() throws {
    let encoder = try backbone.makeClipEncoder(BackboneOptions(), observer: { _ in })
    let caption = String(repeating: "gold ", count: backbone.transformer.maxTextLength + 1)
    var told: [String] = []
    for _ in 0..<12 {
      _ = try encoder.encode(caption: caption) { if case .warning(let text) = $0 { told.append(text) } }
    }
    #expect(told.count == 10)
    #expect(told.first?.hasSuffix("its end is ignored") == true)
    #expect(told.last?.hasSuffix("further ones are not told") == true)
  }

  @Test("the identity changes with weights, configuration and tiling of what it names, and with nothing else")
  func identity() throws {
    let copy = try TemporaryDirectory()
    let path = copy.file("model")
    try FileManager.default.copyItem(atPath: Self.checkpoint, toPath: path)
    func identities(tiles: Bool = false) throws -> [String] {
      let backbone = try CogVideoXBackbone(directory: path)
      return [
        try backbone.clipIdentity(BackboneOptions(usesTiles: tiles)), try backbone.captionIdentity(BackboneOptions()),
      ]
    }
    let first = try identities()
    #expect(
      first == [try backbone.clipIdentity(BackboneOptions()), try backbone.captionIdentity(BackboneOptions())])
    #expect(try identities(tiles: true)[0] != first[0])
    let weights = try #require(
      try FileManager.default.contentsOfDirectory(atPath: "\(path)/vae").first { $0.hasSuffix(".safetensors") })
    let url = URL(fileURLWithPath: "\(path)/vae/\(weights)")
    var bytes = try Data(contentsOf: url)
    bytes[bytes.count - 1] ^= 1
    try bytes.write(to: url)
    #expect(try identities()[0] != first[0])
    #expect(try identities()[1] == first[1])
  }
}
