import CFFmpeg
import Compute
import Foundation
import Runtime
import Testing

@testable import Media

@Suite("Video reader: damage and limits") struct DamageTests {
  @Test("V09: damaged macroblocks fail the file, or are skipped and counted") func macroblocks() throws {
    let directory = try TemporaryDirectory()
    let path = directory("a.mp4")
    var sample = predictedVideo(container: "mp4")
    sample.damage = { packet, index in
      if index == 5 { for at in packet.count / 2..<packet.count { packet[at] ^= 0x3C } }
    }
    try sample.write(to: path)
    let failure = #expect(throws: MediaFailure.self) { try VideoReader(path: path).frameCount() }
    guard case .corrupt(_, 5, _) = try #require(failure) else { throw try #require(failure) }
    #expect(failure?.category == .badInput)
    let reader = try VideoReader(path: path, options: skipping)
    let count = try reader.frameCount()
    #expect(count == 23)
    #expect(reader.warnings.contains(.skippedDamaged(count: 1)))
    #expect(try reader.readFrames(at: [count - 1]).frameCount == 1)
    // The frames before the damage are there under either policy.
    #expect(try VideoReader(path: path).readFrames(at: [4]) == reader.readFrames(at: [4]))
  }

  @Test("V09: a frame whose checksum is wrong is noticed") func checksum() throws {
    let directory = try TemporaryDirectory()
    var sample = SampleFile(encoder: "png", pixelFormat: AV_PIX_FMT_RGB24, frameCount: 6)
    sample.damage = { packet, index in if index == 3 { packet[packet.count / 2] ^= 1 } }
    try sample.write(to: directory("a.mkv"))
    #expect(throws: MediaFailure.self) { try VideoReader(path: directory("a.mkv")).frameCount() }
    #expect(try VideoReader(path: directory("a.mkv"), options: skipping).frameCount() == 5)
  }

  @Test("V11: a PNG of 60,000 x 60,000 and a JPEG of 65,500 x 65,500 are refused before they are decoded")
  func bombs() throws {
    let directory = try TemporaryDirectory()
    let size: [UInt8] = [0, 0, 0xEA, 0x60]
    let header = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13] + Array("IHDR".utf8) + size + size
    let path = try directory.file("bomb.png", header + [8, 2, 0, 0, 0] + [UInt8](repeating: 0, count: 200))
    let failure = #expect(throws: MediaFailure.self) { try VideoReader(path: path) }
    let expected = FrameSize(width: 60_000, height: 60_000)
    #expect(failure == .frameTooLarge(path: path, size: expected, limit: ReadingLimits()))
    var picture = SampleFile(container: "", encoder: "mjpeg", pixelFormat: AV_PIX_FMT_YUVJ420P, frameCount: 1)
    picture.size = FrameSize(width: 64, height: 64)
    try picture.write(to: directory("a.jpg"))
    var contents = try bytes(of: directory("a.jpg"))
    // Height and width stand five bytes after the start-of-frame marker.
    let frame = try #require(contents.indices.first { contents[$0...].starts(with: [0xFF, 0xC0]) })
    contents.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0xDC, 0xFF, 0xDC])
    let jpeg = try directory.file("bomb.jpg", contents)
    #expect(throws: MediaFailure.self) { try VideoReader(path: jpeg) }
  }

  @Test("V11: a PNG with a wrong checksum is refused, and a smaller limit is kept") func checksumAndLimit() throws {
    let directory = try TemporaryDirectory()
    let clip = makeNoise(FrameSize(width: 40, height: 30), frameCount: 1)
    var contents = Array(try ImageWriter.pngData(clip, path: ""))
    let path = try directory.file("good.png", contents)
    #expect(try VideoReader.readImage(path: path).pixels == clip.pixels)
    var options = ReadingOptions()
    options.limits.pixelCount = 40 * 30 - 1
    #expect(throws: MediaFailure.self) { try VideoReader(path: path, options: options) }
    options.limits = ReadingLimits()
    options.limits.sideLength = 39
    #expect(throws: MediaFailure.self) { try VideoReader(path: path, options: options) }
    contents[60] ^= 1
    let damaged = try directory.file("bad.png", contents)
    #expect(throws: MediaFailure.self) { try VideoReader.readImage(path: damaged) }
    #expect(throws: MediaFailure.self) { try VideoReader.readImage(path: damaged, options: skipping) }
  }

  @Test("V11: a PNG or JPEG that is cut is refused", arguments: ["png", "mjpeg"]) func cutPicture(encoder: String)
    throws
  {
    let directory = try TemporaryDirectory()
    let noise = makeNoise(FrameSize(width: 64, height: 64), frameCount: 1)
    var picture = SampleFile(container: "", encoder: encoder, size: noise.size, frameCount: 1)
    picture.pixelFormat = encoder == "png" ? AV_PIX_FMT_GRAY8 : AV_PIX_FMT_YUVJ444P
    picture.fill = { frame, _ in
      for y in 0..<64 { for x in 0..<64 { frame.set(0, x: x, y: y, noise.pixels[y * 64 + x]) } }
    }
    try picture.write(to: directory("whole"))
    let whole = try bytes(of: directory("whole"))
    #expect(try VideoReader.readImage(path: directory("whole")).size == noise.size)
    for part in [8, 5, 2] {
      let path = try directory.file("cut", Array(whole[..<(whole.count * part / 10)]))
      #expect(throws: MediaFailure.self) { try VideoReader.readImage(path: path) }
    }
  }

  @Test("V14: a file that grows or shrinks while it is read is refused") func changingFile() throws {
    let directory = try TemporaryDirectory()
    for growth in [1000, -1000] {
      let path = directory("a\(growth).mkv")
      try VideoWriter.write(makeNoise(FrameSize(width: 32, height: 32), frameCount: 20), to: path)
      let reader = try VideoReader(path: path)
      let size = try bytes(of: path).count
      #expect(truncate(path, off_t(size + growth)) == 0)
      let failure = #expect(throws: FileFailure.self) { try reader.frameCount() }
      #expect(failure?.code == ESTALE)
    }
  }

  @Test("V15: decoding stops at its time limit") func timeLimit() throws {
    let directory = try TemporaryDirectory()
    let path = directory("a.nut")
    try numberedVideo(frameCount: 20_000).write(to: path)
    var options = ReadingOptions()
    options.limits.duration = .zero
    #expect(throws: MediaFailure.tooSlow(path: path, limit: .zero)) { try VideoReader(path: path, options: options) }
    let stop = StopCondition(path: path, limit: .milliseconds(1))
    while !stop.isReached {}
    #expect(throws: MediaFailure.self) { try stop.check() }
    // Enough to open the file, far too little for all of its frames.
    options.limits.duration = .milliseconds(5)
    #expect(throws: MediaFailure.tooSlow(path: path, limit: .milliseconds(5))) {
      while true { _ = try VideoReader(path: path, options: options).readFrames(at: [19_999]) }
    }
  }

  @Test(
    "V13: names with spaces, quotes, patterns, a leading hyphen and bytes that are not UTF-8 are taken literally",
    arguments: [
      "a b.png", "it's \"quoted\".png", "frame-%03d.png", "-y.png", "*?[a].png", "é 漢字.png", "a:b|c.png", "x\ny.png",
    ])
  func names(name: String) throws {
    let directory = try TemporaryDirectory()
    let clip = makeNoise(FrameSize(width: 6, height: 5), frameCount: 1)
    try VideoWriter.write(clip, to: directory(name))
    #expect(try directory.names == [name])
    #expect(try VideoReader.readImage(path: directory(name)).pixels == clip.pixels)
    let video = directory(name + ".mkv")
    try VideoWriter.write(clip, to: video)
    #expect(try VideoReader(path: video).frameCount() == 1)
  }

  @Test("V13: a name that is not UTF-8 is opened by its bytes, and a NUL in a name is no file") func byteNames() throws
  {
    let directory = try TemporaryDirectory()
    let clip = makeNoise(FrameSize(width: 6, height: 5), frameCount: 1)
    try VideoWriter.write(clip, to: directory("plain.png"))
    let name = Array(directory("").utf8) + [0xFF, 0xC3, 0x28] + Array(".png".utf8)
    let renamed = (name + [0]).withUnsafeBytes {
      rename(directory("plain.png"), $0.assumingMemoryBound(to: CChar.self).baseAddress!)
    }
    #expect(renamed == 0)
    let reader = try VideoReader(pathBytes: name)
    #expect(try reader.readFrames(at: [0]).pixels == clip.pixels)
    #expect(throws: FileFailure.self) { try VideoReader(path: directory("plain.png\0.mp4")) }
  }

  @Test("any byte may be wrong and any length cut without harm", arguments: ["mp4", "mkv", "gif", "png", "jpg", "avi"])
  func mutations(kind: String) throws {
    let directory = try TemporaryDirectory()
    let original = directory("original." + kind)
    switch kind {
    case "jpg":
      var picture = SampleFile(container: "", encoder: "mjpeg", pixelFormat: AV_PIX_FMT_YUVJ420P, frameCount: 1)
      picture.fill = { frame, _ in for x in 0..<16 { frame.set(0, x: x, y: x, UInt8(16 * x)) } }
      try picture.write(to: original)
    case "avi": try predictedVideo(container: "avi", frameCount: 6).write(to: original)
    case "png": try VideoWriter.write(makeNoise(FrameSize(width: 16, height: 8), frameCount: 1), to: original)
    default: try VideoWriter.write(makeClip(FrameSize(width: 32, height: 16), frameCount: 6), to: original)
    }
    let whole = try bytes(of: original)
    var generator = RandomGenerator(seed: 7)
    for round in 0..<120 {
      var contents = whole
      for _ in 0...round % 4 {
        contents[generator.drawIndex(below: contents.count)] = UInt8(generator.drawIndex(below: 256))
      }
      if round % 3 == 0 { contents.removeLast(generator.drawIndex(below: contents.count)) }
      let path = try directory.file("mutant." + kind, contents)
      for policy in CorruptionPolicy.allCases {
        var options = ReadingOptions()
        options.onCorruption = policy
        options.limits.pixelCount = 1 << 20
        do {
          let reader = try VideoReader(path: path, options: options)
          let count = try reader.frameCount()
          _ = try reader.readFrames(at: [0, count - 1])
        } catch {
          #expect(error is any Failure, "round \(round): \(error)")
        }
      }
    }
  }
}
