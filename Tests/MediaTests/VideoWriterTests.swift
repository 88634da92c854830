import CFFmpeg
import Compute
import Foundation
import Runtime
import Testing

@testable import Media

@Suite("Video writer") struct VideoWriterTests {
  private let size = FrameSize(width: 48, height: 32)

  private func metadata(of path: String) throws -> [String: String] {
    var context: UnsafeMutablePointer<AVFormatContext>?
    try FFmpeg.check(avformat_open_input(&context, "file:" + path, nil, nil), "open", path: path)
    defer { avformat_close_input(&context) }
    var entries: [String: String] = [:]
    var entry: UnsafeMutablePointer<AVDictionaryEntry>?
    while let next = av_dict_get(context?.pointee.metadata, "", entry, AV_DICT_IGNORE_SUFFIX) {
      entries[String(cString: next.pointee.key).lowercased()] = String(cString: next.pointee.value)
      entry = next
    }
    return entries
  }

  @Test(
    "Matroska keeps every bit, the rate and any size",
    arguments: [FrameRate.training, FrameRate(30000, 1001)!, .assumed])
  func lossless(rate: FrameRate) throws {
    let directory = try TemporaryDirectory()
    let clip = makeNoise(FrameSize(width: 47, height: 31), frameCount: 7, frameRate: rate)
    try VideoWriter.write(clip, to: directory("a.mkv"))
    let reader = try VideoReader(path: directory("a.mkv"))
    #expect(try reader.readFrames(at: Array(0..<7)).pixels == clip.pixels)
    #expect(try reader.frameCount() == 7)
    #expect(abs(reader.frameRate.value - rate.value) < 0.01)
    #expect(reader.warnings == [])
  }

  @Test("MP4 keeps colours closely, the exact rate and the number of frames") func mp4() throws {
    let directory = try TemporaryDirectory()
    let clip = makeClip(size, frameCount: 9)
    try VideoWriter.write(clip, to: directory("a.mp4"))
    let reader = try VideoReader(path: directory("a.mp4"))
    #expect(try reader.frameCount() == 9)
    #expect(reader.frameRate == .training)
    #expect(reader.codec == "h264")
    // Quantisation and halved chroma cost a few levels on a smooth picture.
    #expect(largestDifference(try reader.readFrames(at: Array(0..<9)), clip) <= 12)
    // The index stands before the frames, so that playing can start while loading.
    let contents = try bytes(of: directory("a.mp4"))
    let position = { (name: String) in contents.indices.first { contents[$0...].starts(with: name.utf8) } }
    #expect(try #require(position("moov")) < #require(position("mdat")))
  }

  @Test("a plain colour survives MP4, so matrix and tags agree") func mp4Colour() throws {
    let directory = try TemporaryDirectory()
    for (index, color) in [[200, 30, 40], [10, 180, 60], [30, 40, 220]].enumerated() {
      let pixels = (0..<size.pixelCount * 2).flatMap { _ in color.map { UInt8($0) } }
      let clip = VideoClip(size: size, frameRate: .training, pixels: pixels)
      var options = VideoWriter.Options()
      options.quality = 0
      try VideoWriter.write(clip, to: directory("\(index).mp4"), options: options)
      #expect(largestDifference(try VideoReader(path: directory("\(index).mp4")).readFrames(at: [0, 1]), clip) <= 3)
    }
  }

  @Test("a GIF of at most 256 colours is exact, and one of more stays close") func gif() throws {
    let directory = try TemporaryDirectory()
    let noise = makeNoise(size, frameCount: 6)
    let few = VideoClip(size: size, frameRate: .training, pixels: noise.pixels.map { $0 / 52 * 50 })
    try VideoWriter.write(few, to: directory("few.gif"))
    let reader = try VideoReader(path: directory("few.gif"))
    #expect(try reader.frameCount() == 6)
    #expect(try reader.readFrames(at: Array(0..<6)).pixels == few.pixels)
    // Times are hundredths of a second.
    #expect(abs(reader.frameRate.value - 16) < 1)
    let smooth = makeClip(size, frameCount: 6)
    try VideoWriter.write(smooth, to: directory("smooth.gif"))
    let read = try VideoReader(path: directory("smooth.gif")).readFrames(at: Array(0..<6))
    #expect(largestDifference(read, smooth) <= 40)
    let total = zip(read.pixels, smooth.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
    #expect(Double(total) / Double(read.pixels.count) < 8)
  }

  @Test("a folder of PNG frames holds every frame in order") func folder() throws {
    let directory = try TemporaryDirectory()
    let clip = makeNoise(FrameSize(width: 5, height: 3), frameCount: 12)
    try VideoWriter.write(clip, to: directory("frames/"))
    let names = try FileManager.default.contentsOfDirectory(atPath: directory("frames")).sorted()
    #expect(names.count == 12)
    #expect(names.first == "frame-00000.png")
    for (index, name) in names.enumerated() {
      let frame = try VideoReader.readImage(path: directory("frames/" + name))
      #expect(frame.pixels.elementsEqual(clip.frame(index)))
    }
    #expect(throws: MediaFailure.folderExists(path: directory("frames/"))) {
      try VideoWriter.write(clip, to: directory("frames/"))
    }
  }

  @Test("metadata is stored in each container", arguments: ["a.mp4", "a.mkv", "a.gif", "a.png"])
  func metadata(name: String) throws {
    let directory = try TemporaryDirectory()
    var options = VideoWriter.Options()
    options.metadata = [
      "comment": "made of noise – and é", "vap.seed": "42", "vap.prompt": String(repeating: "long ", count: 99),
    ]
    try VideoWriter.write(makeNoise(size, frameCount: 1), to: directory(name), options: options)
    #expect(try VideoReader(path: directory(name)).frameCount() == 1)
    switch name {
    case "a.gif":
      let comment = try #require(try metadata(of: directory(name))["comment"])
      #expect(comment.hasPrefix("comment=made of noise – and é\nvap.prompt=long long"))
      #expect(comment.hasSuffix("vap.seed=42"))
    case "a.png":
      let contents = try bytes(of: directory(name))
      for (key, value) in options.metadata {
        let chunk = Array("iTXt".utf8) + Array(key.utf8) + [0, 0, 0, 0, 0] + Array(value.utf8)
        #expect(contents.indices.contains { contents[$0...].starts(with: chunk) })
      }
    default:
      let stored = try metadata(of: directory(name))
      for (key, value) in options.metadata { #expect(stored[key] == value) }
    }
  }

  @Test(
    "the same frames give the same bytes for any number of threads", arguments: ["a.mp4", "a.mkv", "a.gif", "a.png"])
  func deterministic(name: String) throws {
    let directory = try TemporaryDirectory()
    let clip = makeNoise(FrameSize(width: 128, height: 96), frameCount: name == "a.png" ? 1 : 8)
    let threads = Workers.threadCount
    defer { Workers.threadCount = threads }
    var results: [[UInt8]] = []
    for count in [1, 4] {
      Workers.threadCount = count
      try VideoWriter.write(clip, to: directory("\(count)" + name))
      results.append(try bytes(of: directory("\(count)" + name)))
    }
    #expect(results[0] == results[1])
  }
}

@Suite("Video writer: what cannot be written") struct RefusedOutputTests {
  private let clip = makeNoise(FrameSize(width: 64, height: 48), frameCount: 10)

  @Test("V17: odd sizes for yuv420p, unknown endings and several frames in one PNG are refused with advice")
  func usage() throws {
    let directory = try TemporaryDirectory()
    let odd = makeNoise(FrameSize(width: 63, height: 48), frameCount: 1)
    let failure = #expect(throws: MediaFailure.self) { try VideoWriter.write(odd, to: directory("a.mp4")) }
    #expect(failure?.message.contains("64x48") == true)
    #expect(failure?.category == .usage)
    for name in ["clip", "clip.", "clip.xyz", ".mp4x", "a.mp4.txt"] {
      #expect(throws: MediaFailure.unknownExtension(path: directory(name))) {
        try VideoWriter.write(clip, to: directory(name))
      }
    }
    #expect(throws: MediaFailure.notOneFrame(path: directory("a.png"), frameCount: 10)) {
      try VideoWriter.write(clip, to: directory("a.png"))
    }
    var fast = clip
    fast.frameRate = try #require(FrameRate(60))
    #expect(throws: MediaFailure.self) { try VideoWriter.write(fast, to: directory("a.gif")) }
    #expect(try directory.names == [])
  }

  @Test("V17: a directory in the way, a missing or closed directory and an existing file are refused") func places()
    throws
  {
    let directory = try TemporaryDirectory()
    try FileManager.default.createDirectory(atPath: directory("a.mp4"), withIntermediateDirectories: false)
    #expect(throws: FileFailure.self) { try VideoWriter.write(clip, to: directory("a.mp4")) }
    #expect(throws: FileFailure.self) { try VideoWriter.write(clip, to: directory("missing/a.mp4")) }
    let file = try directory.file("b.mkv", [1, 2, 3])
    #expect(throws: FileFailure.self) { try VideoWriter.write(clip, to: file + "/c.mp4") }
    let failure = #expect(throws: MediaFailure.self) { try VideoWriter.write(clip, to: file) }
    #expect(failure == .fileExists(path: file))
    #expect(try bytes(of: file) == [1, 2, 3])
    var options = VideoWriter.Options()
    options.overwrites = true
    try VideoWriter.write(clip, to: file, options: options)
    #expect(try VideoReader(path: file).frameCount() == 10)
    #expect(throws: MediaFailure.fileExists(path: file)) {
      try VideoWriter.checkTarget(file, size: clip.size, frameRate: .training)
    }
    #expect(try VideoWriter.checkTarget(directory("c.gif"), size: clip.size, frameRate: .training) == .gif)
  }

  @Test("V17: a missing encoder is named with its package") func missingEncoder() throws {
    let recipe = EncoderRecipe(encoder: "no-such-encoder", pixelFormat: AV_PIX_FMT_RGB24, package: "libsomething")
    let failure = #expect(throws: MediaFailure.self) {
      try FrameEncoder(
        recipe, size: clip.size, timeBase: AVRational(num: 1, den: 16), frameRate: .training, path: "a.mp4")
    }
    #expect(failure == .missingEncoder(path: "a.mp4", encoder: "no-such-encoder", package: "libsomething"))
    #expect(failure?.category == .resources)
  }

  @Test(
    "V17: a disk that fills up at any point is reported with the system's reason and leaves nothing behind",
    arguments: ["a.mp4", "a.mkv", "a.gif"], [0.0, 0.3, 0.9, 0.999])
  func diskFull(name: String, fraction: Double) throws {
    let directory = try TemporaryDirectory()
    var options = VideoWriter.Options()
    options.metadata = ["comment": "at the very end of a GIF"]
    try VideoWriter.write(clip, to: directory("whole-" + name), options: options)
    let capacity = Int(Double(try bytes(of: directory("whole-" + name)).count) * fraction)
    let failure = #expect(throws: FileFailure.self) {
      try VideoWriter.write(clip, to: directory(name), options: options) { descriptor, bytes, count, offset in
        guard offset < capacity else {
          errno = ENOSPC
          return -1
        }
        return pwrite(descriptor, bytes, min(count, capacity - offset), off_t(offset))
      }
    }
    #expect(failure == FileFailure(path: directory(name), action: "write", code: ENOSPC))
    #expect(failure?.category == .resources)
    #expect(try directory.names == ["whole-" + name])
  }

  @Test("V17: a failed write leaves an existing file as it was") func keepsOld() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.file("a.mkv", [9, 9])
    var options = VideoWriter.Options()
    options.overwrites = true
    #expect(throws: FileFailure.self) {
      try VideoWriter.write(clip, to: path, options: options) { _, _, _, _ in
        errno = EIO
        return -1
      }
    }
    #expect(try bytes(of: path) == [9, 9])
    #expect(try directory.names == ["a.mkv"])
  }

  @Test("V17: a device that is full refuses the writes of the system itself") func fullDevice() throws {
    let file = try OutputFile(path: "/dev/full")
    #expect(!([UInt8](repeating: 1, count: 10).withUnsafeBytes { file.put($0, at: 0) }))
    #expect(file.failure?.code == ENOSPC)
    let failure = #expect(throws: FileFailure.self) {
      try OutputFile.write(Data([1, 2, 3]), to: "/dev/full", as: "picture.png")
    }
    #expect(failure == FileFailure(path: "picture.png", action: "write", code: ENOSPC))
  }

  @Test("FFmpeg itself stays silent") func silent() throws {
    let directory = try TemporaryDirectory()
    try VideoWriter.write(clip, to: directory("a.gif"))
    #expect(av_log_get_level() == AV_LOG_QUIET)
  }
}
