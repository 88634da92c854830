import CFFmpeg
import Compute
import Foundation
import Runtime
import Testing

@testable import Media

@Suite("Video reader: files that are no videos") struct NotVideoTests {
  @Test("V01: an empty file, a text named .mp4, a directory, a FIFO and /dev/zero are refused at once")
  func notVideos() throws {
    let directory = try TemporaryDirectory()
    let empty = try directory.file("empty.mp4", [])
    #expect(throws: MediaFailure.emptyFile(path: empty)) { try VideoReader(path: empty) }
    let text = try directory.file("text.mp4", Array("This is no video, whatever its name says.\n".utf8))
    #expect(throws: MediaFailure.self) { try VideoReader(path: text) }
    #expect(throws: FileFailure.self) { try VideoReader(path: directory.path) }
    let fifo = directory("fifo.mp4")
    #expect(mkfifo(fifo, 0o600) == 0)
    let failure = #expect(throws: FileFailure.self) { try VideoReader(path: fifo) }
    #expect(failure?.category == .badInput)
    #expect(throws: FileFailure.self) { try VideoReader(path: "/dev/zero") }
    #expect(throws: FileFailure.self) { try VideoReader(path: directory("missing.mp4")) }
  }

  @Test("V02: an MP4 without its index, cut in the index, or cut between key frames is refused") func cutVideos() throws
  {
    let directory = try TemporaryDirectory()
    try predictedVideo(container: "mp4").write(to: directory("whole.mp4"))
    let whole = try bytes(of: directory("whole.mp4"))
    let index = try #require(whole.indices.first { whole[$0...].starts(with: "moov".utf8) })
    for (name, count) in [("half", whole.count / 2), ("index", (index + whole.count) / 2)] {
      let path = try directory.file(name + ".mp4", Array(whole[..<count]))
      #expect(throws: MediaFailure.self, "\(name)") { try VideoReader(path: path).frameCount() }
    }
    var early = predictedVideo(container: "mp4")
    early.muxerOptions = ["movflags": "faststart"]
    try early.write(to: directory("early.mp4"))
    let bytesOfEarly = try bytes(of: directory("early.mp4"))
    let cut = try directory.file("cut.mp4", Array(bytesOfEarly[..<(bytesOfEarly.count * 7 / 10)]))
    let failure = #expect(throws: MediaFailure.self) { try VideoReader(path: cut).frameCount() }
    guard case .corrupt(_, let frame, _) = try #require(failure) else { throw try #require(failure) }
    #expect((1..<24).contains(frame))
    let reader = try VideoReader(path: cut, options: skipping)
    let count = try reader.frameCount()
    #expect((frame...frame + 1).contains(count))
    #expect(reader.warnings.contains(.frameCountDiffers(declared: 24, decoded: count)))
  }

  @Test("V02: a Matroska file cut in the middle gives the frames it holds and says that it ends early")
  func cutMatroska() throws {
    let directory = try TemporaryDirectory()
    try SampleFile(frameCount: 24).write(to: directory("whole.mkv"))
    let whole = try bytes(of: directory("whole.mkv"))
    let reader = try VideoReader(path: try directory.file("cut.mkv", Array(whole[..<(whole.count * 6 / 10)])))
    let count = try reader.frameCount()
    #expect((1..<24).contains(count))
    #expect(reader.warnings.contains { if case .endsEarly = $0 { true } else { false } })
    let good = try VideoReader(path: directory("whole.mkv"))
    #expect(try good.frameCount() == 24)
    #expect(good.warnings == [])
  }

  @Test("V03: files without a video stream are refused, and the video is found among 50 streams") func streams() throws
  {
    let directory = try TemporaryDirectory()
    var sample = SampleFile()
    sample.hasVideo = false
    sample.audioStreamCount = 2
    try sample.write(to: directory("sound.mkv"))
    let failure = #expect(throws: MediaFailure.self) { try VideoReader(path: directory("sound.mkv")) }
    #expect(failure == .noVideo(path: directory("sound.mkv"), streamCount: 2))
    let header = Array("RIFF".utf8) + [36, 0, 0, 0] + Array("WAVEfmt ".utf8) + [16, 0, 0, 0, 1, 0, 1, 0, 64, 31, 0, 0]
    let wave = try directory.file(
      "sound.wav", header + [128, 62, 0, 0, 2, 0, 16, 0] + Array("data".utf8) + [0, 0, 0, 0])
    #expect(throws: MediaFailure.self) { try VideoReader(path: wave) }
    sample.hasVideo = true
    sample.audioStreamCount = 49
    try sample.write(to: directory("many.mkv"))
    #expect(try VideoReader(path: directory("many.mkv")).frameCount() == 4)
  }

  @Test(
    "V10: playlists and lists of other files are refused whatever their names",
    arguments: [
      "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n%@\n#EXT-X-ENDLIST\n",
      "ffconcat version 1.0\nfile %@\n",
    ])
  func playlists(text: String) throws {
    let directory = try TemporaryDirectory()
    try SampleFile().write(to: directory("real.mkv"))
    for name in ["list.m3u8", "list.mp4", "list.txt"] {
      let contents = text.replacingOccurrences(of: "%@", with: directory("real.mkv"))
      let path = try directory.file(name, Array(contents.utf8))
      let failure = #expect(throws: MediaFailure.self) { try VideoReader(path: path) }
      guard case .playlist = try #require(failure) else { throw try #require(failure) }
    }
  }

  @Test(
    "V10: protocols in a path are names of files that do not exist",
    arguments: [
      "http://127.0.0.1:9/a.mp4", "concat:a.mkv|b.mkv", "subfile,,start,0,end,9,,:%@",
      "data:image/png;base64,iVBORw0KGgo=",
      "file:%@", "pipe:0", "cache:%@", "frame-%%d.png",
    ])
  func protocols(template: String) throws {
    let directory = try TemporaryDirectory()
    try SampleFile().write(to: directory("real.mkv"))
    let path = template.replacingOccurrences(of: "%@", with: directory("real.mkv"))
    let failure = #expect(throws: FileFailure.self) { try VideoReader(path: path) }
    #expect(failure?.code == ENOENT)
  }
}

@Suite("Video reader: frames and times") struct FrameCountTests {
  @Test("V04: files of 0, 1 and 48 frames", arguments: [0, 1, 48]) func few(frameCount: Int) throws {
    let directory = try TemporaryDirectory()
    for container in ["matroska", "mp4", "avi"] {
      let path = directory("video." + container)
      var sample = predictedVideo(container: container, frameCount: frameCount)
      sample.timeBase = AVRational(num: 1, den: 16)
      try sample.write(to: path)
      guard frameCount > 0 else {
        #expect(throws: MediaFailure.self) { try VideoReader(path: path) }
        continue
      }
      let reader = try VideoReader(path: path)
      #expect(try reader.frameCount() == frameCount)
      let clip = try reader.readFrames(at: Array(0..<frameCount))
      #expect(clip.frameCount == frameCount)
      let failure = #expect(throws: MediaFailure.self) { try reader.readFrames(at: [frameCount]) }
      #expect(failure == .noSuchFrame(path: path, index: frameCount, frameCount: frameCount))
    }
  }

  @Test("V04: of 100,000 frames only the chosen ones are kept") func many() throws {
    let directory = try TemporaryDirectory()
    let path = directory("long.nut")
    try numberedVideo(frameCount: 100_000).write(to: path)
    let reader = try VideoReader(path: path)
    #expect(try reader.frameCount() == 100_000)
    let clip = try reader.readFrames(at: [99_999, 0, 50_000, 50_000])
    #expect(numbers(clip) == [99_999, 0, 50_000, 50_000])
    #expect(clip.pixels.count == 4 * 12)
    var options = ReadingOptions()
    options.limits.frameCount = 1000
    let limited = try VideoReader(path: path, options: options)
    #expect(throws: MediaFailure.tooManyFrames(path: path, limit: 1000)) { try limited.frameCount() }
    #expect(numbers(try limited.readFrames(at: [999])) == [999])
    var generator = RandomGenerator(seed: 3)
    let window = try reader.readFrames(.random, count: 3, using: &generator)
    #expect(numbers(window)[2] == numbers(window)[0] + 2)
  }

  @Test("frames that would not fit the memory limit are refused before they are decoded") func clipLimit() throws {
    let directory = try TemporaryDirectory()
    try numberedVideo(frameCount: 10).write(to: directory("a.nut"))
    var options = ReadingOptions()
    options.limits.clipByteCount = 59
    let reader = try VideoReader(path: directory("a.nut"), options: options)
    let failure = #expect(throws: MediaFailure.self) { try reader.readFrames(at: [0, 1, 2, 3, 4]) }
    #expect(failure?.category == .resources)
    #expect(numbers(try reader.readFrames(at: [0, 1, 2, 3])) == [0, 1, 2, 3])
  }

  @Test("V05: a file that declares 49 frames and holds 12 counts what decodes") func declared() throws {
    let directory = try TemporaryDirectory()
    try predictedVideo(container: "avi", frameCount: 12).write(to: directory("a.avi"))
    var contents = try bytes(of: directory("a.avi"))
    // The stream header's length stands 32 bytes into its fields.
    let header = try #require(contents.indices.first { contents[$0...].starts(with: "strh".utf8) })
    contents[header + 8 + 32] = 49
    let path = try directory.file("b.avi", contents)
    let reader = try VideoReader(path: path)
    #expect(reader.declaredFrameCount == 49)
    #expect(try reader.frameCount() == 12)
    #expect(reader.warnings.contains(.frameCountDiffers(declared: 49, decoded: 12)))
    #expect(throws: MediaFailure.noSuchFrame(path: path, index: 48, frameCount: 12)) { try reader.readFrames(at: [48]) }
  }

  @Test("V05: undecodable frames fail the file, or are counted apart") func undecodable() throws {
    let directory = try TemporaryDirectory()
    var sample = predictedVideo(container: "mp4", frameCount: 49)
    sample.damage = { packet, index in if index >= 12 { for at in packet.indices { packet[at] = 0xFF } } }
    let path = directory("a.mp4")
    try sample.write(to: path)
    let failure = #expect(throws: MediaFailure.self) { try VideoReader(path: path).frameCount() }
    guard case .corrupt(_, 12, _) = try #require(failure) else { throw try #require(failure) }
    let reader = try VideoReader(path: path, options: skipping)
    #expect(try reader.frameCount() == 12)
    #expect(reader.warnings.contains(.frameCountDiffers(declared: 49, decoded: 12)))
    #expect(reader.warnings.contains(.skippedDamaged(count: 37)))
  }

  @Test("V06: steps of times that vary are noted, and frames keep their order") func variableRate() throws {
    let directory = try TemporaryDirectory()
    var sample = numberedVideo(container: "matroska", frameCount: 8)
    sample.time = { Int64($0 * $0) }
    try sample.write(to: directory("a.mkv"))
    let reader = try VideoReader(path: directory("a.mkv"))
    #expect(try reader.frameCount() == 8)
    #expect(reader.warnings.contains(.variableFrameRate))
    #expect(numbers(try reader.readFrames(at: Array(0..<8))) == Array(0..<8))
  }

  @Test("V06: streams without times, with negative, backward and huge ones are read in order") func oddTimes() throws {
    let directory = try TemporaryDirectory()
    // A raw MPEG-4 stream carries no times for its frames.
    try predictedVideo(container: "m4v", frameCount: 5).write(to: directory("a.m4v"))
    #expect(try VideoReader(path: directory("a.m4v")).frameCount() == 5)
    let times: [(Int) -> Int64] = [
      { Int64($0) - 100 }, { $0 < 3 ? Int64($0) : 1 << 55 + Int64($0) }, { Int64($0) + 1 << 50 },
    ]
    for (index, time) in times.enumerated() {
      var sample = numberedVideo(frameCount: 6)
      sample.time = time
      let path = directory("\(index).nut")
      try sample.write(to: path)
      let reader = try VideoReader(path: path)
      #expect(try reader.frameCount() == 6, "times \(index)")
      #expect(numbers(try reader.readFrames(at: Array(0..<6))) == Array(0..<6))
    }
  }

  @Test("V06: missing, repeated, backward and overflowing times are counted") func timestampCheck() {
    var check = TimestampCheck()
    for time in [vap_no_timestamp, 0, 1, 1, 0, 1 << 62, -(1 << 62) - 1, .max, 5] { check.note(time) }
    #expect(check.warnings.first == .irregularTimestamps(count: 6))
    var steady = TimestampCheck()
    for time in [0, 62, 125, 187, 250] as [Int64] { steady.note(time) }
    #expect(steady.warnings == [])
  }

  @Test("V06: a rate of 10^6 is not believed") func absurdRate() throws {
    let directory = try TemporaryDirectory()
    var sample = numberedVideo(frameCount: 6)
    sample.timeBase = AVRational(num: 1, den: 1_000_000)
    try sample.write(to: directory("a.nut"))
    let reader = try VideoReader(path: directory("a.nut"))
    #expect(reader.frameRate == .assumed)
    #expect(reader.warnings.contains(.frameRateUnknown(assumed: .assumed)))
    #expect(try reader.frameCount() == 6)
  }

  @Test(
    "V12: frames that an edit list hides are not seen, whether shown ones depend on them or not",
    arguments: [true, false])
  func editList(dependent: Bool) throws {
    let directory = try TemporaryDirectory()
    var sample = SampleFile(
      container: "mp4", encoder: "mpeg4", pixelFormat: AV_PIX_FMT_YUV420P, size: FrameSize(width: 32, height: 32),
      frameCount: 8)
    // The first two frames are black and come before time zero.
    sample.time = { Int64($0) - 2 }
    // A new scene would start with a key frame of its own.
    sample.codecOptions = ["sc_threshold": dependent ? "1000000000" : "0"]
    sample.muxerOptions = ["use_editlist": "1", "avoid_negative_ts": "disabled"]
    sample.fill = { frame, index in
      frame.fillPlane(0, width: 32, height: 32, index < 2 ? 16 : 180)
      for plane in 1...2 { frame.fillPlane(plane, width: 16, height: 16, 128) }
    }
    try sample.write(to: directory("a.mp4"))
    let reader = try VideoReader(path: directory("a.mp4"))
    #expect(try reader.frameCount() == 6)
    #expect(reader.warnings == [])
    let first = try VideoReader.readImage(path: directory("a.mp4"))
    #expect(first.pixels.allSatisfy { $0 > 150 })
  }
}
