import Checkpoints
import Compute
import Encoders
import Foundation
import Layers
import Media
import Tensors
import TestSupport
import Testing

@testable import Backbones

@Suite("Pictures and latents of Wan")
struct WanPictureTests {
  private let goldens: SafetensorsReader

  init() throws { goldens = try SafetensorsReader(path: Fixtures.path("wan-tiny/clip.safetensors")) }

  private func encoder() throws -> WanPictureEncoder {
    try WanBackbone(directory: Fixtures.path("wan-tiny/checkpoint")).loadPictureEncoder(observer: { _ in })
  }

  @Test(
    "published training stretches each pixel's channels, and one grey pixel makes all of the frame black",
    arguments: [
      "coloured", "with_one_grey_pixel",
    ])
  func stretching(name: String) throws {
    let frame = try goldens.tensor(named: "training.\(name).video_frame")
    let picture = StretchedPicture(frame)
    expectClose(picture.channels, try goldens.tensor(named: "training.\(name).normalized"), absolute: 1e-6)
    let embedded = try encoder().tokens(of: picture, context: RunContext())[0]
    expectClose(embedded, try goldens.tensor(named: "training.\(name).image_embeds"), absolute: 2e-5)
  }

  @Test("a frame of pure hues keeps to them when it is resized: the published processor takes its values for bytes")
  func hues() throws {
    let recorded = try SafetensorsReader(path: Fixtures.path("wan-couplings/couplings.safetensors"))
    let frame = try recorded.tensor(named: "hues.frame")
    let expected = try recorded.tensor(named: "hues.pixel_values")
    let pixels = try encoder().pixels(of: StretchedPicture(frame))
    expectClose(pixels, expected, absolute: 1e-6)
    #expect(Set(pixels[0][0].floats()).count == 2)
    // One pixel with a hue between makes bytes of 255 levels again.
    var values = frame.floats()
    values[2 * frame.count / 3] = -0.25
    let other = try encoder().pixels(of: StretchedPicture(Tensor(values, shape: frame.shape)))
    #expect(Set(other[0][0].floats()).count > 20)
  }

  @Test("of a clip the first frame is looked at")
  func firstFrame() throws {
    let size = FrameSize(width: 40, height: 30)
    let clip = VideoClip(
      size: size, frameRate: .training, pixels: (0..<2 * size.byteCount).map { UInt8(truncatingIfNeeded: $0 * 13 / 7) })
    let encoder = try encoder()
    let tokens = try encoder.tokens(of: clip, context: RunContext())
    #expect(tokens.shape == [1, 17, 32])
    #expect(try encoder.tokens(of: clip.selecting([0]), context: RunContext()).floats() == tokens.floats())
    #expect(try encoder.tokens(of: clip.selecting([1]), context: RunContext()).floats() != tokens.floats())
  }

  // MARK: Latents

  private func latents() throws -> WanLatents {
    WanLatents(autoencoder: try WanBackbone(directory: Fixtures.path("wan-tiny/checkpoint")).autoencoder)
  }

  @Test("a sample of the posterior is normalised as a whole; published training normalises its variance like a mean")
  func sampling() throws {
    let latents = try latents()
    let (mean, deviation) = (latents.autoencoder.latentMeans[3], latents.autoencoder.latentDeviations[3])
    let moments = Tensor.concatenated(
      [.filled([1, 16, 1, 1, 1], with: 0.5), .filled([1, 16, 1, 1, 1], with: -2)], axis: 1)
    let noise = Tensor.filled([1, 16, 1, 1, 1], with: 1.5)
    let right = latents.video(moments: moments, noise: noise, normalizesVariances: false).doubles()[3]
    // 1.5 standard deviations of exp(-2 / 2).
    #expect(abs(right - (0.5 + 1.5 * 0.36787944 - mean) / deviation) < 1e-5)
    let published = latents.video(moments: moments, noise: noise, normalizesVariances: true).doubles()[3]
    let variance = (-2 - mean) / deviation
    #expect(abs(published - ((0.5 - mean) / deviation + 1.5 * exp(0.5 * variance))) < 1e-5)
    let still = latents.video(moments: moments, noise: .zeros(noise.shape), normalizesVariances: false)
    expectClose(still, latents.video(mean: moments.sliced(1, 0..<16).dense()), absolute: 1e-6)
  }

  @Test("a condition is the mask and the latents of the frame followed by grey pixels")
  func condition() throws {
    let frame = Tensor.random([1, 3, 1, 4, 6], seed: 3)
    let video = WanLatents.conditionVideo(frame, frames: 5)
    #expect(video.shape == [1, 3, 5, 4, 6])
    #expect(video.sliced(2, 0..<1).floats() == frame.floats())
    #expect(video.sliced(2, 1..<5).floats().allSatisfy { $0 == 0 })
    #expect(WanLatents.conditionVideo(frame, frames: 1).floats() == frame.floats())
    let condition = try latents().condition(mean: .random([1, 16, 3, 2, 2], seed: 4))
    #expect(condition.shape == [1, 20, 3, 2, 2])
    #expect(condition.sliced(1, 0..<4).sliced(2, 0..<1).floats().allSatisfy { $0 == 1 })
    #expect(condition.sliced(1, 0..<4).sliced(2, 1..<3).floats().allSatisfy { $0 == 0 })
  }
}
