import Backbones
import Datasets
import Foundation
import Media
import Runtime
import Tensors
import TestSupport
import Testing

@testable import Training

/// Encoding through a tiny checkpoint: a data set of a few small videos, encoded on the spot and through a cache.
@Suite("Encoded pairs")
struct EncodedPairsTests {
  private let directory: TemporaryDirectory
  private let backbone: CogVideoXBackbone
  private let loader = ClipLoader(buckets: [ClipBucket(frames: 9, height: 48, width: 64)])

  init() throws {
    directory = try TemporaryDirectory()
    backbone = try CogVideoXBackbone(directory: Fixtures.path("cogvideox-tiny/checkpoint"))
  }

  private func manifest(_ count: Int, missing: Set<Int> = [], limit: BadLimit = .share(1)) throws -> Manifest {
    let size = FrameSize(width: 64, height: 48)
    var text = "video_paths,ref_video_paths,tar_video_caption,kind,split,reference_alignment_score\n"
    for index in 0..<count {
      text += "v\(index).mkv,[],The video shows number \(index),melt,train,90\n"
      let path = directory.file("v\(index).mkv")
      guard !missing.contains(index), !FileManager.default.fileExists(atPath: path) else { continue }
      let pixels = (0..<9 * size.byteCount).map { UInt8(truncatingIfNeeded: $0 / 5 + index * 37) }
      try VideoWriter.write(VideoClip(size: size, frameRate: .training, pixels: pixels), to: path)
    }
    return try Manifest(path: directory.write(text, to: "vap_data.csv"), limit: limit)
  }

  private func source(cache: String?) throws -> EncodedClipSource {
    try EncodedClipSource(
      backbone, BackboneOptions(), folder: DataFolder(directory.path), loader: loader,
      cache: try cache.map { try LatentCache(directory: directory.file($0)) })
  }

  private func cachedFiles(_ cache: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: directory.file(cache)).filter { $0.hasSuffix(".safetensors") }
      .sorted()
  }

  private func values(_ clip: EncodedClip) -> [String: [Float]] { clip.tensors.mapValues { $0.floats() } }

  private func sampler(_ manifest: Manifest, dropout: Double = 0) throws -> PairSampler {
    var rules = PairingRules()
    rules.captionDropout = dropout
    return PairSampler(try PairPool(manifest, rules), rules)
  }

  @Test("a cached clip has the same bits as one encoded on the spot, and is read instead of encoded")
  func cacheEqualsEncoding() throws {
    let sampler = try sampler(manifest(3))
    let direct = EncodedPairs(sampler, try source(cache: nil))
    let cached = EncodedPairs(sampler, try source(cache: "cache"))
    let first = try direct.pair(at: 0, observer: { _ in })
    #expect(values(first.target) == values(try cached.pair(at: 0, observer: { _ in }).target))
    let again = EncodedPairs(sampler, try source(cache: "cache"))
    let pair = try again.pair(at: 0) { event in
      if case .stage = event { Issue.record("encoders were loaded: \(event)") }
    }
    #expect(values(pair.target) == values(first.target))
    #expect(pair.references.map(values) == first.references.map(values))
    #expect(pair.sample == first.sample)
  }

  @Test("filling a cache encodes each clip and caption once, and goes on where it stopped")
  func filling() throws {
    let pool = try sampler(manifest(3)).pool
    let summary = try CacheFilling(pool, source(cache: "cache"), dropsCaptions: true).run { _ in }
    // Each caption as of a target and of a reference, and the blank one.
    #expect(summary == .init(clips: 3, captions: 7, kept: 0))
    let files = try cachedFiles("cache")
    #expect(files.count == 10)
    try FileManager.default.removeItem(atPath: directory.file("cache/\(files[0])"))
    let again = try CacheFilling(pool, source(cache: "cache"), dropsCaptions: true).run { _ in }
    #expect(again.clips + again.captions == 1)
    #expect(again.kept == 9)
    #expect(try cachedFiles("cache") == files)
  }

  @Test("a clip with other contents, size or selection is not taken from the cache")
  func keys() throws {
    _ = try manifest(2)
    let source = try source(cache: "cache")
    _ = try source.clip("v0.mkv", observer: { _ in })
    #expect(try source.isKept("v0.mkv"))
    var other = loader
    other.selection = .first
    let otherSource = try EncodedClipSource(
      backbone, BackboneOptions(), folder: DataFolder(directory.path), loader: other,
      cache: LatentCache(directory: directory.file("cache")))
    #expect(try !otherSource.isKept("v0.mkv"))
    try FileManager.default.removeItem(atPath: directory.file("v0.mkv"))
    try FileManager.default.copyItem(atPath: directory.file("v1.mkv"), toPath: directory.file("v0.mkv"))
    #expect(try !source.isKept("v0.mkv"))
  }

  @Test("D03: a sample of a missing or broken video is replaced, the video named once, and too many end the run")
  func badVideos() throws {
    try directory.write("broken", to: "v1.mkv")
    let sampler = try sampler(manifest(6, missing: [0, 1]))
    let pairs = EncodedPairs(sampler, try source(cache: "cache"), limit: .count(2))
    var warnings: [String] = []
    for index in 0..<12 {
      let pair = try pairs.pair(at: index) { event in
        if case .warning(let text) = event, text.hasPrefix("left out") { warnings.append(text) }
      }
      #expect(pair.sample.target > 1)
      #expect(pair.sample.references.allSatisfy { $0 > 1 })
      #expect(pair.sample == (try pairs.pair(at: index, observer: { _ in }).sample))
    }
    #expect(warnings.count == 2)
    #expect(Set(pairs.tally.items.items.map(\.video)) == ["v0.mkv", "v1.mkv"])
    let strict = EncodedPairs(sampler, try source(cache: "cache"), limit: .count(1))
    #expect(throws: DatasetFailure.self) {
      for index in 0..<12 { _ = try strict.pair(at: index, observer: { _ in }) }
    }
    #expect(throws: DatasetFailure.self) {
      _ = try CacheFilling(sampler.pool, source(cache: "cache"), dropsCaptions: false, limit: .count(1)).run { _ in }
    }
  }

  @Test("captions are cleaned as their role asks, or blank")
  func captions() throws {
    let manifest = try manifest(2)
    let source = try source(cache: "cache")
    let pair = try EncodedPairs(sampler(manifest), source).pair(at: 0, observer: { _ in })
    let caption = manifest[pair.sample.target].caption
    let expected = try source.caption(CaptionRules.target(caption), observer: { _ in })
    #expect(pair.target.tensors["text"]?.floats() == expected["text"]?.floats())
    let blank = try EncodedPairs(sampler(manifest, dropout: 1), source).pair(at: 0, observer: { _ in })
    #expect(
      blank.references[0].tensors["text"]?.floats() == (try source.caption("", observer: { _ in })["text"]?.floats()))
  }

  @Test("a file is read for its digest once, and again when it changes")
  func digests() throws {
    let digests = FileDigests()
    let path = try directory.write("one", to: "file")
    let first = try digests.digest(ofFile: path)
    #expect(try first == ContentDigest(ofFile: path) && first == digests.digest(ofFile: path))
    try directory.write("three", to: "file")
    #expect(try digests.digest(ofFile: path) == ContentDigest(ofFile: path))
    #expect(throws: FileFailure.self) { try digests.digest(ofFile: directory.file("none")) }
  }
}
