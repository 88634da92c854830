import CFFmpeg
import Foundation
import Testing

@testable import Media

@Suite("Pixel formats") struct PixelFormatTests {
  @Test(
    "V07: 1x1, odd and small sizes keep every pixel",
    arguments: [(1, 1), (3, 5), (1, 9), (9, 1), (17, 2), (33, 31)])
  func sizes(width: Int, height: Int) throws {
    let directory = try TemporaryDirectory()
    let clip = makeNoise(FrameSize(width: width, height: height), frameCount: 3)
    for name in ["a.mkv", "a.png"] {
      let part = name == "a.png" ? clip.selecting([1]) : clip
      try VideoWriter.write(part, to: directory(name))
      let reader = try VideoReader(path: directory(name))
      #expect(reader.size == clip.size)
      #expect(try reader.readFrames(at: Array(0..<part.frameCount)).pixels == part.pixels)
    }
    // Subsampled chroma of odd sizes.
    var sample = SampleFile(pixelFormat: AV_PIX_FMT_YUV420P, size: clip.size, frameCount: 1)
    sample.fill = { frame, _ in
      frame.fillPlane(0, width: width, height: height, 126)
      for plane in 1...2 { frame.fillPlane(plane, width: (width + 1) / 2, height: (height + 1) / 2, 128) }
    }
    try sample.write(to: directory("b.mkv"))
    let gray = try VideoReader.readImage(path: directory("b.mkv"))
    #expect(gray.size == clip.size)
    #expect(gray.pixels.allSatisfy { $0 == 128 })
  }

  @Test("V07: a video of 65,535 x 65,535 is refused by its header") func hugeVideo() throws {
    let directory = try TemporaryDirectory()
    var sample = SampleFile(container: "nut", encoder: "rawvideo", pixelFormat: AV_PIX_FMT_GRAY8)
    sample.configureStream = {
      $0.pointee.codecpar.pointee.width = 65_535
      $0.pointee.codecpar.pointee.height = 65_535
    }
    try sample.write(to: directory("a.nut"))
    let failure = #expect(throws: MediaFailure.self) { try VideoReader(path: directory("a.nut")) }
    guard case .frameTooLarge(_, FrameSize(width: 65_535, height: 65_535), _) = try #require(failure) else {
      throw try #require(failure)
    }
  }

  @Test("V07: frames of another size in mid-stream are resized to the first") func sizeChange() throws {
    let directory = try TemporaryDirectory()
    var stream: [UInt8] = []
    for (index, size) in [FrameSize(width: 64, height: 48), FrameSize(width: 32, height: 80)].enumerated() {
      var sample = SampleFile(
        container: "h264", encoder: "libx264", pixelFormat: AV_PIX_FMT_YUV420P, size: size, frameCount: 3)
      sample.fill = { frame, _ in
        frame.fillPlane(0, width: size.width, height: size.height, UInt16(60 + 100 * index))
        for plane in 1...2 { frame.fillPlane(plane, width: size.width / 2, height: size.height / 2, 128) }
      }
      try sample.write(to: directory("part.h264"))
      stream += try bytes(of: directory("part.h264"))
    }
    let path = try directory.file("a.h264", stream)
    let reader = try VideoReader(path: path)
    #expect(try reader.frameCount() == 6)
    let clip = try reader.readFrames(at: Array(0..<6))
    #expect(clip.size == FrameSize(width: 64, height: 48))
    #expect(clip.frame(2).allSatisfy { abs(Int($0) - 51) <= 2 })
    #expect(clip.frame(5).allSatisfy { abs(Int($0) - 168) <= 2 })
    #expect(reader.warnings.contains(.sizeChanged(frame: 3, size: FrameSize(width: 32, height: 80))))
  }

  /// Luma, blue and red difference of one colour, as a fraction of the 8-bit scale, and how it is signalled.
  struct Coding: Sendable, CustomTestStringConvertible {
    let format: AVPixelFormat
    let depth: Int
    let space: AVColorSpace
    let range: AVColorRange
    /// Weights of red and blue in luma, from the standard.
    let red: Double
    let blue: Double
    var testDescription: String { "format \(format.rawValue), matrix \(space.rawValue), range \(range.rawValue)" }

    /// The code values of a colour of 0...255, by the standard's definition.
    func codes(_ color: [Double]) -> [UInt16] {
      let rgb = color.map { $0 / 255 }
      let luma = red * rgb[0] + (1 - red - blue) * rgb[1] + blue * rgb[2]
      let differences = [(rgb[2] - luma) / (2 * (1 - blue)), (rgb[0] - luma) / (2 * (1 - red))]
      let unit = Double(1 << (depth - 8))
      let full = range == AVCOL_RANGE_JPEG
      let y = full ? luma * (256 * unit - 1) : (16 + 219 * luma) * unit
      let c = differences.map { full ? $0 * (256 * unit - 1) + 128 * unit : (128 + 224 * $0) * unit }
      return [y, c[0], c[1]].map { UInt16($0.rounded()) }
    }
  }

  @Test(
    "V08: YUV of 8 and 10 bits, 4:2:0 and 4:4:4, is converted with the matrix and range it names",
    arguments: [
      Coding(
        format: AV_PIX_FMT_YUV420P, depth: 8, space: AVCOL_SPC_BT709, range: AVCOL_RANGE_MPEG, red: 0.2126, blue: 0.0722
      ),
      Coding(
        format: AV_PIX_FMT_YUV420P, depth: 8, space: AVCOL_SPC_BT709, range: AVCOL_RANGE_JPEG, red: 0.2126, blue: 0.0722
      ),
      Coding(
        format: AV_PIX_FMT_YUV420P, depth: 8, space: AVCOL_SPC_SMPTE170M, range: AVCOL_RANGE_MPEG, red: 0.299,
        blue: 0.114),
      Coding(
        format: AV_PIX_FMT_YUV444P, depth: 8, space: AVCOL_SPC_BT470BG, range: AVCOL_RANGE_JPEG, red: 0.299, blue: 0.114
      ),
      Coding(
        format: AV_PIX_FMT_YUV420P, depth: 8, space: AVCOL_SPC_UNSPECIFIED, range: AVCOL_RANGE_UNSPECIFIED, red: 0.299,
        blue: 0.114),
      Coding(
        format: AV_PIX_FMT_YUV420P10LE, depth: 10, space: AVCOL_SPC_BT2020_NCL, range: AVCOL_RANGE_MPEG, red: 0.2627,
        blue: 0.0593),
      Coding(
        format: AV_PIX_FMT_YUV444P10LE, depth: 10, space: AVCOL_SPC_BT709, range: AVCOL_RANGE_MPEG, red: 0.2126,
        blue: 0.0722),
      Coding(
        format: AV_PIX_FMT_YUV422P, depth: 8, space: AVCOL_SPC_BT709, range: AVCOL_RANGE_MPEG, red: 0.2126, blue: 0.0722
      ),
    ])
  func yuv(coding: Coding) throws {
    let directory = try TemporaryDirectory()
    for color in [[200.0, 80, 40], [20, 60, 220], [128, 128, 128], [0, 0, 0], [255, 255, 255]] {
      let codes = coding.codes(color)
      var sample = SampleFile(pixelFormat: coding.format, frameCount: 1)
      sample.configure = {
        $0.pointee.colorspace = coding.space
        $0.pointee.color_range = coding.range
      }
      let description = av_pix_fmt_desc_get(coding.format)!.pointee
      sample.fill = { frame, _ in
        frame.fillPlane(0, width: 16, height: 16, codes[0], isWide: coding.depth > 8)
        for plane in 1...2 {
          frame.fillPlane(
            plane, width: 16 >> description.log2_chroma_w, height: 16 >> description.log2_chroma_h, codes[plane],
            isWide: coding.depth > 8)
        }
      }
      let path = directory("\(color[0]).mkv")
      try sample.write(to: path)
      let clip = try VideoReader.readImage(path: path)
      // Codes are whole numbers, so a colour may come back off by two.
      for (index, value) in clip.pixels.enumerated() {
        let wanted = color[index % 3]
        guard abs(Double(value) - wanted) > 2 else { continue }
        Issue.record("channel \(index % 3) of \(color) came back as \(value)")
        break
      }
    }
  }

  @Test(
    "V08: grey, 16-bit, alpha and planar RGB pictures keep their colours; alpha is dropped",
    arguments: [
      (AV_PIX_FMT_GRAY8, [77, 77, 77]), (AV_PIX_FMT_GRAY16BE, [0x12, 0x12, 0x12]),
      (AV_PIX_FMT_RGB48BE, [0x12, 0x56, 0x9A]),
      (AV_PIX_FMT_RGBA, [200, 80, 40]), (AV_PIX_FMT_RGBA64BE, [0x12, 0x56, 0x9A]), (AV_PIX_FMT_YA8, [77, 77, 77]),
    ])
  func pictures(format: AVPixelFormat, expected: [Int]) throws {
    let directory = try TemporaryDirectory()
    let samples: [UInt8] =
      switch format {
      case AV_PIX_FMT_GRAY8: [77]
      case AV_PIX_FMT_GRAY16BE: [0x12, 0xF4]
      case AV_PIX_FMT_RGB48BE: [0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC]
      case AV_PIX_FMT_RGBA64BE: [0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0, 9]
      case AV_PIX_FMT_YA8: [77, 3]
      default: [200, 80, 40, 0]
      }
    var sample = SampleFile(container: "", encoder: "png", pixelFormat: format, frameCount: 1)
    sample.fill = { frame, _ in
      for y in 0..<16 {
        for x in 0..<16 * samples.count { frame.set(0, x: x, y: y, samples[x % samples.count]) }
      }
    }
    try sample.write(to: directory("a.png"))
    let clip = try VideoReader.readImage(path: directory("a.png"))
    #expect(clip.pixels == (0..<256).flatMap { _ in expected.map { UInt8($0) } })
  }

  @Test("V08: a palette GIF keeps its colours, and its transparent parts do not matter") func paletteGIF() throws {
    let directory = try TemporaryDirectory()
    let size = FrameSize(width: 16, height: 16)
    let pixels = (0..<256).flatMap { (value: Int) -> [UInt8] in [UInt8(value), UInt8(255 - value), UInt8(value / 2)] }
    let clip = VideoClip(size: size, frameRate: .training, pixels: pixels)
    try VideoWriter.write(clip, to: directory("a.gif"))
    #expect(try VideoReader.readImage(path: directory("a.gif")).pixels == pixels)
  }

  @Test("V08: a CMYK JPEG has Pillow's colours") func cmyk() throws {
    let clip = try VideoReader.readImage(path: mediaFixture("cmyk.jpg"))
    #expect(clip.size == FrameSize(width: 16, height: 8))
    for (x, color) in [(2, [200, 80, 40]), (13, [20, 60, 220])] {
      let pixel = clip.pixels[(4 * 16 + x) * 3..<(4 * 16 + x) * 3 + 3]
      // JPEG coding costs a few levels.
      #expect(zip(pixel, color).allSatisfy { abs(Int($0) - $1) <= 4 }, "\(Array(pixel))")
    }
  }

  @Test(
    "V08: pictures are turned as their EXIF orientation says", arguments: ["turned.jpg", "turned.png", "turned.webp"])
  func exif(name: String) throws {
    let clip = try VideoReader.readImage(path: mediaFixture(name))
    #expect(clip.size == FrameSize(width: 8, height: 16))
    // A quarter turn clockwise: what was left is on top.
    for (y, color) in [(2, [200, 80, 40]), (13, [20, 60, 220])] {
      let pixel = clip.pixels[(y * 8 + 4) * 3..<(y * 8 + 4) * 3 + 3]
      #expect(zip(pixel, color).allSatisfy { abs(Int($0) - $1) <= 6 }, "\(Array(pixel))")
    }
  }

  @Test("V08: the eight EXIF orientations, by hand") func orientations() throws {
    // Stored 3x2: a b c / d e f.
    let stored = FrameSize(width: 3, height: 2)
    let expected: [[Character]] = [
      ["a", "b", "c", "d", "e", "f"], ["c", "b", "a", "f", "e", "d"], ["f", "e", "d", "c", "b", "a"],
      ["d", "e", "f", "a", "b", "c"], ["a", "d", "b", "e", "c", "f"], ["d", "a", "e", "b", "f", "c"],
      ["f", "c", "e", "b", "d", "a"], ["c", "f", "b", "e", "a", "d"],
    ]
    for (index, wanted) in expected.enumerated() {
      let orientation = try #require(Orientation(exif: index + 1))
      let source = "abcdef".utf8.flatMap { [$0, $0, $0] }
      var shown = [UInt8](repeating: 0, count: 18)
      orientation.copy(source, stride: 9, stored: stored, into: &shown)
      #expect(String(decoding: stride(from: 0, to: 18, by: 3).map { shown[$0] }, as: UTF8.self) == String(wanted))
      #expect(orientation.shownSize(of: stored).width == (index < 4 ? 3 : 2))
    }
    #expect(Orientation(exif: 0) == nil)
    #expect(Orientation(exif: 9) == nil)
  }

  @Test("V08: rotation metadata of a video is applied", arguments: [(0.0, 1), (-90.0, 6), (180.0, 3), (90.0, 8)])
  func rotation(angle: Double, exif: Int) throws {
    let directory = try TemporaryDirectory()
    let clip = makeNoise(FrameSize(width: 16, height: 10), frameCount: 1)
    var sample = SampleFile(
      container: "mov", encoder: "png", pixelFormat: AV_PIX_FMT_RGB24, size: clip.size, frameCount: 1)
    sample.fill = { frame, _ in
      for y in 0..<10 { for x in 0..<48 { frame.set(0, x: x, y: y, clip.pixels[y * 48 + x]) } }
    }
    sample.configureStream = { stream in
      let data = av_stream_new_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, 36)!
      // The angle counts counterclockwise.
      data.withMemoryRebound(to: Int32.self, capacity: 9) { av_display_rotation_set($0, -angle) }
    }
    try sample.write(to: directory("a.mov"))
    let orientation = try #require(Orientation(exif: exif))
    var shown = [UInt8](repeating: 0, count: clip.pixels.count)
    orientation.copy(clip.pixels, stride: 48, stored: clip.size, into: &shown)
    let result = try VideoReader.readImage(path: directory("a.mov"))
    #expect(result.size == orientation.shownSize(of: clip.size))
    #expect(result.pixels == shown)
  }

  @Test("V08: mirrored display matrices") func mirrored() {
    let one: Int32 = 1 << 16
    #expect(Orientation(displayMatrix: [-one, 0, 0, 0, one, 0, 0, 0, 1 << 30]) == Orientation(exif: 2))
    #expect(Orientation(displayMatrix: [one, 0, 0, 0, -one, 0, 0, 0, 1 << 30]) == Orientation(exif: 4))
    #expect(Orientation(displayMatrix: [0, one, 0, one, 0, 0, 0, 0, 1 << 30]) == Orientation(exif: 5))
    #expect(Orientation(displayMatrix: [Int32](repeating: .min, count: 9)) != .upright)
    #expect(Orientation(displayMatrix: [Int32](repeating: 0, count: 9)) == .upright)
  }

  @Test("V08: broken EXIF data means no orientation") func brokenEXIF() {
    let good: [UInt8] = [0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]
    #expect(PNGHeader.orientation(inEXIF: good) == Orientation(exif: 6))
    let big: [UInt8] = [0x4D, 0x4D, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 8, 0, 0]
    #expect(PNGHeader.orientation(inEXIF: big) == Orientation(exif: 8))
    for count in 0..<20 { #expect(PNGHeader.orientation(inEXIF: Array(good.prefix(count))) == nil) }
    var far = good
    far.replaceSubrange(4..<8, with: [0xFF, 0xFF, 0xFF, 0xFF])
    #expect(PNGHeader.orientation(inEXIF: far) == nil)
    far = good
    far[18] = 200
    #expect(PNGHeader.orientation(inEXIF: far) == nil)
  }

  @Test("V08: HDR, interlacing and pixels that are not square are read as stored and named") func warnings() throws {
    let directory = try TemporaryDirectory()
    var sample = SampleFile(pixelFormat: AV_PIX_FMT_YUV420P10LE, frameCount: 2)
    sample.codecOptions = ["level": "3"]
    sample.configure = {
      $0.pointee.color_trc = AVCOL_TRC_SMPTE2084
      $0.pointee.colorspace = AVCOL_SPC_BT2020_NCL
      $0.pointee.sample_aspect_ratio = AVRational(num: 4, den: 3)
    }
    sample.fill = { frame, _ in frame.pointee.interlaced_frame = 1 }
    try sample.write(to: directory("a.mkv"))
    let reader = try VideoReader(path: directory("a.mkv"))
    #expect(reader.size == FrameSize(width: 16, height: 16))
    #expect(
      reader.warnings == [.highDynamicRange(transfer: "PQ"), .interlaced, .nonSquarePixels(ratio: 4.0 / 3)])
    #expect(try reader.frameCount() == 2)
    sample.configure = { $0.pointee.color_trc = AVCOL_TRC_ARIB_STD_B67 }
    sample.fill = { _, _ in }
    try sample.write(to: directory("b.mkv"))
    #expect(try VideoReader(path: directory("b.mkv")).warnings == [.highDynamicRange(transfer: "HLG")])
  }

  @Test("stored colours are spread smoothly over pixels, or repeated, as asked for") func chroma() throws {
    let directory = try TemporaryDirectory()
    let size = FrameSize(width: 16, height: 16)
    var sample = SampleFile(pixelFormat: AV_PIX_FMT_YUV420P, size: size, frameCount: 1)
    sample.fill = { frame, _ in
      frame.fillPlane(0, width: 16, height: 16, 120)
      frame.fillPlane(1, width: 8, height: 8, 128)
      for y in 0..<8 { for x in 0..<8 { frame.set(2, x: x, y: y, UInt8(40 + 20 * x + 4 * y)) } }
    }
    try sample.write(to: directory("a.mkv"))
    func red(_ chroma: ChromaReading) throws -> [UInt8] {
      var options = ReadingOptions()
      options.chroma = chroma
      let pixels = try VideoReader(path: directory("a.mkv"), options: options).readFrames(at: [0]).pixels
      return stride(from: 0, to: pixels.count, by: 3).map { pixels[$0] }
    }
    func isBlock(_ red: [UInt8], _ place: Int) -> Bool {
      let corner = place / 8 * 32 + place % 8 * 2
      return Set([0, 1, 16, 17].map { red[corner + $0] }).count == 1
    }
    let (repeated, smooth) = (try red(.repeated), try red(.interpolated))
    #expect((0..<64).allSatisfy { isBlock(repeated, $0) } && Set(repeated).count > 20)
    #expect((0..<64).contains { !isBlock(smooth, $0) })
    // Limited range BT.601: 1.164 (120 - 16) + 1.596 (80 - 128) in the third block of the first row.
    #expect(abs(Int(repeated[4]) - 44) <= 1)
  }

  @Test("frames can be resized while they are read") func resizedReading() throws {
    let directory = try TemporaryDirectory()
    let clip = makeNoise(FrameSize(width: 24, height: 18), frameCount: 4)
    try VideoWriter.write(clip, to: directory("a.mkv"))
    let target = FrameSize(width: 10, height: 12)
    let read = try VideoReader(path: directory("a.mkv")).readFrames(at: [3, 1], resizedTo: target)
    #expect(read == clip.selecting([3, 1]).resized(to: target))
  }
}
