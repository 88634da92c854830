import Foundation
import Media
import Testing

@testable import Evaluation

@Suite("Exact comparison of clips")
struct FrameDifferenceTests {
  private static func clip(_ width: Int, _ height: Int, frames: Int = 1, _ value: (Int, Int, Int) -> UInt8) -> VideoClip
  {
    var pixels: [UInt8] = []
    for frame in 0..<frames {
      for row in 0..<height {
        for column in 0..<width { pixels += [UInt8](repeating: value(frame, row, column), count: 3) }
      }
    }
    return VideoClip(size: FrameSize(width: width, height: height), frameRate: .training, pixels: pixels)
  }

  @Test("an error of 1 in every value is 20 log10 255 = 48.13 dB; equal clips are infinitely close")
  func peakSignalToNoise() throws {
    let (dark, light) = (Self.clip(4, 3, frames: 2) { _, _, _ in 7 }, Self.clip(4, 3, frames: 2) { _, _, _ in 8 })
    #expect(abs(try FrameDifference.peakSignalToNoiseRatio(dark, light) - 48.1308036087) < 1e-9)
    #expect(try FrameDifference.peakSignalToNoiseRatio(dark, dark) == .infinity)
    // One of 72 values is off by 255: the mean squared error is 255^2 / 72.
    var pixels = dark.pixels.map { _ in UInt8(0) }
    let black = VideoClip(size: dark.size, frameRate: .training, pixels: pixels)
    pixels[5] = 255
    let spot = VideoClip(size: dark.size, frameRate: .training, pixels: pixels)
    #expect(abs(try FrameDifference.peakSignalToNoiseRatio(black, spot) - 10 * log10(72)) < 1e-9)
  }

  @Test("flat clips differ by luminance only: (2ab + C1) / (a^2 + b^2 + C1)")
  func flatSimilarity() throws {
    let (a, b) = (Self.clip(12, 11) { _, _, _ in 100 }, Self.clip(12, 11) { _, _, _ in 50 })
    let expected: Double = 10_006.5025 / 12_506.5025
    #expect(abs(try FrameDifference.structuralSimilarity(a, b) - expected) < 1e-9)
    #expect(abs(try FrameDifference.structuralSimilarity(a, a) - 1) < 1e-12)
  }

  @Test("contrast that is turned around makes similarity negative, and frames are averaged")
  func invertedSimilarity() throws {
    let texture = Self.clip(24, 20) { _, row, column in (row + column) % 2 == 0 ? 90 : 110 }
    let inverted = Self.clip(24, 20) { _, row, column in (row + column) % 2 == 0 ? 110 : 90 }
    let value = try FrameDifference.structuralSimilarity(texture, inverted)
    // Variance 100 in both and covariance -100, but for what the window's weights leave over.
    #expect(abs(value - (-200 + 58.5225) / (200 + 58.5225)) < 1e-3)
    let both = VideoClip(size: texture.size, frameRate: .training, pixels: texture.pixels + texture.pixels)
    let half = VideoClip(size: texture.size, frameRate: .training, pixels: texture.pixels + inverted.pixels)
    #expect(abs(try FrameDifference.structuralSimilarity(both, half) - (1 + value) / 2) < 1e-12)
  }

  @Test("clips of other sizes, of other lengths, and smaller than a window are refused")
  func refusals() {
    let clip = Self.clip(12, 12) { _, _, _ in 1 }
    #expect(throws: EvaluationFailure.self) {
      try FrameDifference.peakSignalToNoiseRatio(clip, Self.clip(12, 11) { _, _, _ in 1 })
    }
    #expect(throws: EvaluationFailure.self) {
      try FrameDifference.structuralSimilarity(clip, Self.clip(12, 12, frames: 2) { _, _, _ in 1 })
    }
    let small = Self.clip(10, 12) { _, _, _ in 1 }
    #expect(throws: EvaluationFailure.tooSmall(metric: "SSIM", size: small.size, least: 10)) {
      try FrameDifference.structuralSimilarity(small, small)
    }
  }
}
