import Foundation
import Media
import Runtime
import Tensors
import TestSupport
import Testing

@testable import Datasets

@Suite("Captions")
struct CaptionRulesTests {
  @Test(
    "openings of language models are cut from targets, once",
    arguments: [
      ("The video shows a cat.", "a cat."), ("In the video, a cat runs.", "a cat runs."), ("Caption:  a cat ", "a cat"),
      ("The animation depicts a cat.", "a cat."), ("This picture presents The video shows x", "The video shows x"),
      ("A cat; the video shows it.", "A cat; the video shows it."), (" The video shows x", " The video shows x"),
      ("This animation shows x", "This animation shows x"), ("", ""),
    ])
  func openings(caption: String, expected: String) {
    #expect(CaptionRules.target(caption) == expected)
  }

  @Test("references lose blanks at their ends only; there are 68 openings")
  func references() {
    #expect(CaptionRules.reference(" \tThe video shows x \n") == "The video shows x")
    #expect(CaptionRules.openings.count == 68)
  }
}

@Suite("Buckets")
struct ClipBucketTests {
  private let buckets = [
    ClipBucket(frames: 49, height: 480, width: 720), ClipBucket(frames: 49, height: 720, width: 480),
    ClipBucket(frames: 17, height: 480, width: 720),
  ]

  @Test("the largest number of frames that the clip fills, then the nearest aspect ratio")
  func nearest() {
    func bucket(_ width: Int, _ height: Int, _ frames: Int) -> ClipBucket? {
      ClipBucket.nearest(to: FrameSize(width: width, height: height), frames: frames, of: buckets)
    }
    #expect(bucket(1280, 720, 100) == buckets[0])
    #expect(bucket(720, 1280, 49) == buckets[1])
    #expect(bucket(720, 1280, 48) == buckets[2])
    #expect(bucket(1280, 720, 5) == buckets[2])
    #expect(ClipBucket.nearest(to: FrameSize(width: 1, height: 1), frames: 1, of: []) == nil)
  }
}

@Suite("Clip loader")
struct ClipLoaderTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// A lossless video whose frames are of one grey each, 10 apart.
  private func video(_ frames: Int, rate: Int, size: FrameSize = FrameSize(width: 8, height: 4)) throws -> String {
    let path = directory.file("\(frames)-\(rate).mkv")
    let pixels = (0..<frames).flatMap { [UInt8](repeating: UInt8($0 * 2), count: size.byteCount) }
    let rate = try #require(FrameRate(rate))
    try VideoWriter.write(VideoClip(size: size, frameRate: rate, pixels: pixels), to: path)
    return path
  }

  /// The numbers of the frames in a loaded clip.
  private func frames(_ clip: PreparedClip) -> [Int] {
    let shape = clip.pixels.shape
    let values = clip.pixels.floats()
    return (0..<shape[2]).map { Int(((values[$0 * shape[3] * shape[4]] + 1) * 127.5 / 2).rounded()) }
  }

  private func loader(_ frames: Int, height: Int = 4, width: Int = 8) -> ClipLoader {
    ClipLoader(buckets: [ClipBucket(frames: frames, height: height, width: width)])
  }

  @Test("higher rates are thinned to 16 frames per second, lower ones stay")
  func frameRates() throws {
    // linspace(0, 31, 16) rounded half to even; the published rule.
    #expect(
      frames(try loader(16).load(video(32, rate: 32))) == [0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31])
    #expect(frames(try loader(8).load(video(8, rate: 8))) == Array(0..<8))
  }

  @Test("long clips are thinned evenly or cut; short ones repeat frames or stay short")
  func frameCounts() throws {
    var loader = loader(5)
    let long = try video(13, rate: 16)
    #expect(frames(try loader.load(long)) == [0, 3, 6, 9, 12])
    loader.selection = .first
    #expect(frames(try loader.load(long)) == [0, 1, 2, 3, 4])
    let short = try video(3, rate: 16)
    #expect(frames(try loader.load(short)) == [0, 0, 1, 1, 2])
    loader.shortClips = .keepsFrames
    #expect(frames(try loader.load(short)) == [0, 1, 2])
  }

  @Test("frames become x / 127.5 - 1 and are resized bicubically without keeping their shape")
  func pixels() throws {
    let size = FrameSize(width: 4, height: 2)
    let pixels = (0..<size.byteCount).map { UInt8($0 * 10) }
    let clip = VideoClip(size: size, frameRate: .training, pixels: pixels)
    let same = ClipLoader.pixels(of: clip, resizedTo: size)
    #expect(same.shape == [1, 3, 1, 2, 4])
    #expect(same.floats()[1] == Float(pixels[3]) / 127.5 - 1)
    let small = FrameSize(width: 3, height: 5)
    let resized = ClipLoader.pixels(of: clip, resizedTo: small)
    #expect(resized.shape == [1, 3, 1, 5, 3])
    expectClose(
      resized, Tensor(PlanarBicubic(from: size, to: small).resize(same.floats(), planeCount: 3), shape: resized.shape),
      absolute: 0, relative: 0, "resized")
  }

  @Test("a clip of more frames than are resized at a time keeps their order")
  func manyFrames() throws {
    let loaded = try loader(19, height: 6, width: 12).load(video(19, rate: 16))
    #expect(loaded.pixels.shape == [1, 3, 19, 6, 12])
    #expect(frames(loaded) == Array(0..<19))
    #expect(loaded.picture.size == FrameSize(width: 8, height: 4))
  }
}

@Suite("Latent cache")
struct LatentCacheTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test("tensors come back bit for bit under their key and under no other")
  func roundTrip() throws {
    let cache = try LatentCache(directory: directory.file("a/b"))
    let key = LatentCache.Key(kind: "clip", parts: ["1", "2"])
    #expect(try cache.tensors(for: key) == nil)
    let tensors = ["video": Tensor.random([2, 3, 4]), "image": Tensor.random([5], seed: 1)]
    try cache.store(tensors, for: key, note: ["video": "x.mp4"])
    #expect(cache.contains(key))
    let found = try #require(try cache.tensors(for: key))
    #expect(found.mapValues { $0.floats() } == tensors.mapValues { $0.floats() })
    for other in [
      LatentCache.Key(kind: "clip", parts: ["12"]), .init(kind: "clip", parts: ["2", "1"]),
      .init(kind: "caption", parts: ["1", "2"]),
    ] {
      #expect(!cache.contains(other))
    }
  }

  @Test("a damaged file is named instead of being used")
  func damage() throws {
    let cache = try LatentCache(directory: directory.path)
    let key = LatentCache.Key(kind: "clip", parts: ["x"])
    try cache.store(["a": Tensor.random([8])], for: key)
    let path = cache.path(of: key)
    try Data(Data(contentsOf: URL(fileURLWithPath: path)).dropLast(5)).write(to: URL(fileURLWithPath: path))
    #expect(message { _ = try cache.tensors(for: key) }.contains(path))
    #expect(throws: FileFailure.self) { try LatentCache(directory: path + "/below") }
  }
}
