import Foundation
import Testing

@testable import Media

/// Files made with Pillow and PyTorch by `generate.py` in their folder.
func mediaFixture(_ name: String) -> String {
  URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/media/" + name).path
}

private func floats(_ name: String) throws -> [Float] {
  try bytes(of: mediaFixture(name)).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
}

@Suite("Resizing") struct ResizingTests {
  private func source() throws -> VideoClip {
    VideoClip(
      size: FrameSize(width: 37, height: 29), frameRate: .training,
      pixels: try bytes(of: mediaFixture("source-37x29.rgb")))
  }

  @Test(
    "resized frames are Pillow's to the last bit",
    arguments: [
      (ResampleFilter.lanczos, 16, 11), (.lanczos, 53, 41), (.lanczos, 20, 45), (.lanczos, 37, 12), (.lanczos, 12, 29),
      (.lanczos, 1, 1), (.lanczos, 74, 3), (.bicubic, 17, 13), (.bicubic, 48, 31), (.box, 10, 9), (.box, 40, 30),
    ])
  func pillow(filter: ResampleFilter, width: Int, height: Int) throws {
    let result = try source().resized(to: FrameSize(width: width, height: height), filter: filter)
    #expect(result.pixels == (try bytes(of: mediaFixture("\(filter.rawValue)-\(width)x\(height).rgb"))))
    #expect(result.size == FrameSize(width: width, height: height))
  }

  @Test("the same size changes nothing, and each frame is resized on its own") func frames() throws {
    let noise = makeNoise(FrameSize(width: 21, height: 18), frameCount: 5)
    #expect(noise.resized(to: noise.size) == noise)
    let target = FrameSize(width: 13, height: 30)
    let whole = noise.resized(to: target)
    for index in 0..<5 {
      #expect(whole.frame(index).elementsEqual(noise.selecting([index]).resized(to: target).pixels))
    }
  }

  @Test("a flat picture stays flat under every kernel", arguments: ResampleFilter.allCases) func flat(
    filter: ResampleFilter
  ) {
    let size = FrameSize(width: 19, height: 7)
    let clip = VideoClip(size: size, frameRate: .training, pixels: [UInt8](repeating: 201, count: size.byteCount))
    for target in [FrameSize(width: 5, height: 40), FrameSize(width: 64, height: 2)] {
      #expect(clip.resized(to: target, filter: filter).pixels.allSatisfy { $0 == 201 })
    }
  }

  // PyTorch itself is off by 2e-6 from its result in float64, as positions are rounded to float32.
  @Test("planes resized bicubically are PyTorch's to 1e-5", arguments: [(5, 13), (18, 4), (9, 20)])
  func torch(height: Int, width: Int) throws {
    let resizer = PlanarBicubic(from: FrameSize(width: 7, height: 9), to: FrameSize(width: width, height: height))
    let result = try resizer.resize(floats("planes-2x9x7.f32"), planeCount: 2)
    let expected = try floats("bicubic-2x\(height)x\(width).f32")
    #expect(result.count == expected.count)
    for (index, (value, wanted)) in zip(result, expected).enumerated() {
      #expect(abs(value - wanted) <= 1e-5, "element \(index): \(value), expected \(wanted)")
    }
  }
}

@Suite("Cropping and composing") struct CompositionTests {
  @Test("an image that shrinks most in height is resampled by columns first, as Pillow 13 does") func tallImage() {
    let pixels = (0..<20).flatMap { y in
      (0..<5).flatMap { x in (0..<3).map { UInt8(truncatingIfNeeded: x * 37 + y * 11 + $0 * 53) } }
    }
    let clip = VideoClip(size: FrameSize(width: 5, height: 20), frameRate: .training, pixels: pixels)
    // Pillow 13.0.0, Image.resize((4, 3), LANCZOS); rows first would change 15 of these bytes.
    #expect(
      clip.resized(to: FrameSize(width: 4, height: 3)).pixels == [
        36, 85, 147, 79, 135, 204, 127, 205, 167, 192, 174, 68, 108, 172, 202, 161, 203, 116, 211, 130, 43, 141, 49, 91,
        189, 194, 58, 198, 85, 60, 93, 47, 128, 48, 118, 174,
      ])
  }

  @Test("the middle is cut out") func crop() {
    // 3x4 pixels numbered row by row; the middle 1x2 is pixels 4 and 7.
    let pixels = (0..<12).flatMap { [UInt8($0), UInt8($0), UInt8($0)] }
    let clip = VideoClip(size: FrameSize(width: 3, height: 4), frameRate: .training, pixels: pixels + pixels)
    let cropped = clip.centerCropped(to: FrameSize(width: 1, height: 2))
    #expect(cropped.pixels == [4, 4, 4, 7, 7, 7, 4, 4, 4, 7, 7, 7])
  }

  @Test("clips stand side by side at the last one's height, and the shorter holds its last frame") func sideBySide()
    throws
  {
    let gray = { (size: FrameSize, values: [UInt8]) in
      VideoClip(
        size: size, frameRate: .training, pixels: values.flatMap { [UInt8](repeating: $0, count: size.byteCount) })
    }
    let reference = gray(FrameSize(width: 8, height: 8), [10, 20])
    var result = gray(FrameSize(width: 3, height: 4), [50, 60, 70])
    result.frameRate = .assumed
    let joined = try #require(VideoClip.sideBySide([reference, result]))
    #expect(joined.size == FrameSize(width: 4 + 4, height: 4))
    #expect(joined.frameCount == 3)
    #expect(joined.frameRate == .assumed)
    let row = { (frame: Int) in joined.frame(frame).prefix(24).enumerated().filter { $0.offset % 3 == 0 }.map(\.element)
    }
    #expect(row(0) == [10, 10, 10, 10, 50, 50, 50, 0])
    #expect(row(1) == [20, 20, 20, 20, 60, 60, 60, 0])
    #expect(row(2) == [20, 20, 20, 20, 70, 70, 70, 0])
    #expect(VideoClip.sideBySide([]) == nil)
  }
}
