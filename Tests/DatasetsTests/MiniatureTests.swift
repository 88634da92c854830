import Foundation
import Media
import Runtime
import TestSupport
import Testing

@testable import Datasets

@Suite("Miniature world")
struct MiniatureTests {
  private let subject = MiniatureSubject(shape: .star, pattern: .halves, color: .yellow)
  private let timing = MiniatureTiming(speed: 1, onset: 0.1)

  private func clip(
    _ condition: MiniatureCondition, seed: UInt64 = 7, subject: MiniatureSubject? = nil,
    _ timing: MiniatureTiming? = nil
  ) -> VideoClip {
    MiniatureClip(
      seed: seed, subject: subject ?? self.subject, condition: condition, timing: timing ?? self.timing
    ).render()
  }

  /// Mean of the squared differences of all bytes, of 1.
  private func distance(_ first: VideoClip, _ second: VideoClip) -> Double {
    let sum = zip(first.pixels, second.pixels).reduce(0.0) { sum, pair in
      let difference = (Double(pair.0) - Double(pair.1)) / 255
      return sum + difference * difference
    }
    return sum / Double(first.pixels.count)
  }

  @Test(
    "24 trained conditions, six of each category, and one more of each that is not; a sixth of subjects is held out")
  func counts() {
    for category in MiniatureCondition.Category.allCases {
      #expect(MiniatureCondition.trained.count { $0.category == category } == 6)
      #expect(MiniatureCondition.zeroShot.count { $0.category == category } == 1)
    }
    #expect(MiniatureSubject.all.count == 192)
    #expect(MiniatureSubject.all.count(where: \.isHeldOut) == 32)
    let trained = MiniatureSubject.all.filter { !$0.isHeldOut }
    #expect(Set(trained.map(\.shape)).count == 6)
    #expect(Set(trained.map(\.pattern)).count == 4)
    #expect(Set(trained.map(\.color)).count == 8)
  }

  @Test(
    "endless pairs: a clip depends on seed and numbers, pairs share timing and condition, no held-out subject is shown")
  func stream() {
    let stream = MiniatureStream(seed: 5)
    for pair in [0, 7, 23, 24, 1000] {
      let (first, second) = (stream.clip(pair: pair, member: 0), stream.clip(pair: pair, member: 1))
      #expect(first == MiniatureStream(seed: 5).clip(pair: pair, member: 0))
      #expect(first != MiniatureStream(seed: 6).clip(pair: pair, member: 0))
      #expect(first.condition == MiniatureCondition.trained[pair % 24])
      #expect(first.condition == second.condition)
      #expect(first.timing == second.timing)
      #expect(first.seed != second.seed)
      #expect(!first.subject.isHeldOut && !second.subject.isHeldOut)
    }
    #expect(stream.clip(pair: 0, member: 0).timing != stream.clip(pair: 24, member: 0).timing)
    for condition in MiniatureCondition.allCases {
      let target = stream.heldOutClip(scene: 3, member: 0, condition)
      let reference = stream.heldOutClip(scene: 3, member: 1, condition)
      #expect(target.subject.isHeldOut && reference.subject.isHeldOut)
      #expect(target.seed == stream.heldOutClip(scene: 3, member: 0, .gold).seed)
      #expect(target.timing == reference.timing)
      #expect(target.seed != reference.seed)
    }
  }

  @Test("samples: any 24 in a run show all conditions, from the rounds of their turn")
  func places() {
    let stream = MiniatureStream(seed: 5)
    var reuse = MiniatureStream.Reuse()
    (reuse.rounds, reuse.uses) = (4, 3)
    for start in [0, 24, 24_000] {
      let places = (start..<start + 24).map { stream.place(of: $0, reuse) }
      #expect(Set(places.map { $0.pair % 24 }).count == 24)
      let oldest = start / (24 * 3)
      #expect(places.allSatisfy { (oldest..<oldest + 4).contains($0.pair / 24) })
      #expect(places.allSatisfy { (0...1).contains($0.member) && (0..<1).contains($0.draw) })
      #expect(places[5] == MiniatureStream(seed: 5).place(of: start + 5, reuse))
    }
  }

  @Test("of a limited number of pairs all come again and again, and none besides")
  func limitedPairs() {
    let stream = MiniatureStream(seed: 5)
    var reuse = MiniatureStream.Reuse()
    reuse.pairs = 72
    for start in [0, 24 * 500] {
      let places = (start..<start + 24 * 40).map { stream.place(of: $0, reuse) }
      #expect(Set(places.map(\.pair)) == Set(0..<72))
      #expect(Set(places.prefix(24).map { $0.pair % 24 }).count == 24)
      #expect(Set(places.map(\.member)) == [0, 1])
    }
    #expect(stream.oldestRound(of: 1_000_000, reuse) == 0)
  }

  @Test("the words of all captions: no stops, each once")
  func words() {
    let words = MiniatureClip.captionWords
    #expect(words.count == Set(words).count)
    #expect(words.contains("zooms") && words.contains("two-tone") && words.contains("slowly"))
    #expect(!words.contains { $0.contains(".") || $0.isEmpty })
  }

  @Test("a clip depends on its values alone, and on each of them")
  func pureFunction() {
    let first = clip(.roll)
    #expect(clip(.roll) == first)
    #expect(withThreads(1) { clip(.roll) } == first)
    #expect(first.frameCount == 17)
    #expect(first.size == FrameSize(width: 48, height: 48))
    #expect(clip(.roll, seed: 8) != first)
    #expect(clip(.tiltUp) != first)
    #expect(clip(.roll, subject: MiniatureSubject(shape: .star, pattern: .spot, color: .yellow)) != first)
    #expect(clip(.roll, MiniatureTiming(speed: 0.7, onset: 0.1)) != first)
    #expect(clip(.roll, MiniatureTiming(speed: 1, onset: 0.2)) != first)
  }

  @Test(
    "nothing happens before the onset: all conditions begin with the same picture",
    arguments: MiniatureCondition.allCases)
  func beginsStill(condition: MiniatureCondition) {
    let first = clip(condition)
    #expect(Array(first.frame(0)) == Array(clip(.roll).frame(0)))
    #expect(Array(first.frame(1)) == Array(first.frame(0)))
    #expect(Array(first.frame(16)) != Array(first.frame(0)))
  }

  @Test("every two conditions differ clearly on the same scene")
  func distinct() {
    let clips = MiniatureCondition.allCases.map { clip($0) }
    for first in clips.indices {
      for second in clips.indices where second > first {
        let pair = [first, second].map { MiniatureCondition.allCases[$0].rawValue }
        #expect(distance(clips[first], clips[second]) > 0.002, "\(pair)")
      }
    }
  }

  @Test("progress waits for the onset, grows with the speed and ends at 1.3")
  func progress() {
    let timing = MiniatureTiming(speed: 0.8, onset: 0.25)
    #expect(timing.progress(at: 0.25) == 0)
    #expect(timing.progress(at: 0.75) == 0.5)
    #expect(MiniatureTiming(speed: 1.4, onset: 0).progress(at: 1) == 1.3)
    #expect([0.6, 1, 1.3].map { MiniatureTiming(speed: $0, onset: 0).word } == ["slowly", "steadily", "quickly"])
  }

  @Test("captions name the subject, and what happens unless they are neutral")
  func captions() {
    let clip = MiniatureClip(seed: 1, subject: subject, condition: .gold, timing: timing)
    #expect(clip.caption(isNeutral: true) == "A yellow two-tone star.")
    #expect(clip.caption(isNeutral: false) == "A yellow two-tone star. It turns into gold steadily.")
    #expect(MiniatureSubject(shape: .ball, pattern: .spot, color: .orange).name == "an orange spotted ball")
  }
}

@Suite("Miniature data set")
struct MiniatureDatasetTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private var options: MiniatureDataset.Options {
    var options = MiniatureDataset.Options()
    options.videos = 48
    options.groupSize = 2
    options.format.size = 16
    options.format.frames = 9
    return options
  }

  @Test("what is written is a data set that checks out, with a benchmark of 48 rows")
  func writes() throws {
    let dataset = try MiniatureDataset(options)
    try dataset.write(to: directory.path) { _ in }
    let manifest = try Manifest(path: Manifest.find(directory.path))
    #expect(manifest.count == 48 + 96 + 16)
    let report = try DataCheck.run(manifest, in: DataFolder(directory.path), depth: .frames) { _ in }
    #expect(report.bad.count == 0)
    #expect(report.benchmark.isEmpty)
    #expect(report.statistics.categories.map(\.name) == ["camera", "concept", "motion", "style"])
    #expect(try PairPool(manifest, PairingRules()).count == 48)
    let benchmark = try BenchmarkTable(path: BenchmarkTable.find(in: directory.path))
    #expect(benchmark.rows.count == 48)
    #expect(benchmark.warning == nil)
    #expect(Set(benchmark.rows.map(\.condition)).count == 24)
    #expect(try BenchmarkTable(path: directory.file("benchmark/zero_shot.csv")).rows.count == 8)
    #expect(try BenchmarkTable(path: directory.file("benchmark/wrong_references.csv")).rows.count == 48)
  }

  @Test("a longer benchmark begins with the usual rows; references of other conditions are of other categories")
  func scenes() throws {
    var options = options
    options.scenes = 5
    let (usual, long) = (try MiniatureDataset(self.options), try MiniatureDataset(options))
    #expect(long.benchmark.count == 120 && Array(long.benchmark.prefix(48)) == usual.benchmark)
    #expect(long.zeroShot.count == 20 && Array(long.zeroShot.prefix(8)) == usual.zeroShot)
    #expect(zip(usual.items, long.items).allSatisfy { $0.path == $1.path && $0.clip == $1.clip })
    #expect(Set(long.items.map(\.path)).count == long.items.count)
    for condition in MiniatureCondition.trained {
      #expect(long.benchmark.count { $0.condition == condition.rawValue } == 5)
    }
    let clips = Dictionary(uniqueKeysWithValues: long.items.map { ($0.path, $0.clip) })
    for (own, other) in zip(long.benchmark, long.otherReferences) {
      #expect(own.target == other.target && own.targetCaption == other.targetCaption)
      let (target, reference) = (try #require(clips[other.target]), try #require(clips[other.reference]))
      #expect(target.condition.category != reference.condition.category)
      #expect(other.condition == reference.condition.rawValue)
    }
    #expect(Set(long.otherReferences.map(\.reference)).count == 120)
  }

  @Test("references share condition and timing, never a video; the benchmark shows held-out subjects neutrally")
  func plan() throws {
    let dataset = try MiniatureDataset(options)
    let byPath = Dictionary(uniqueKeysWithValues: dataset.items.map { ($0.path, $0) })
    for item in dataset.items {
      #expect(item.clip.subject.isHeldOut == (item.split != "train"))
      for path in item.references {
        let reference = try #require(byPath[path])
        #expect(path != item.path)
        #expect(reference.clip.condition == item.clip.condition)
        #expect(reference.clip.timing == item.clip.timing)
        #expect(reference.clip.seed != item.clip.seed)
      }
    }
    for row in dataset.benchmark {
      let (target, reference) = (try #require(byPath[row.target]), try #require(byPath[row.reference]))
      #expect(target.clip.subject != reference.clip.subject)
      #expect(row.targetCaption == target.clip.caption(isNeutral: true))
    }
    let training = dataset.items.filter { $0.split == "train" }
    let allTrained = training.allSatisfy(\.clip.condition.isTrained)
    #expect(allTrained)
    let captioned = training.count { $0.caption != $0.clip.caption(isNeutral: true) }
    #expect((10...38).contains(captioned))
  }

  @Test("an interrupted run goes on, other options and other data sets are refused")
  func resumes() throws {
    let dataset = try MiniatureDataset(options)
    try dataset.write(to: directory.path) { _ in }
    let files = { try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted() }
    let (before, manifest) = (try files(), try ContentDigest(ofFile: directory.file("vap_data.csv")))
    let video = directory.file(dataset.items[3].path)
    let bytes = try ContentDigest(ofFile: video)
    try FileManager.default.removeItem(atPath: video)
    try FileManager.default.removeItem(atPath: directory.file("vap_data.csv"))
    try dataset.write(to: directory.path) { _ in }
    #expect(try files() == before)
    #expect(try ContentDigest(ofFile: video) == bytes)
    #expect(try ContentDigest(ofFile: directory.file("vap_data.csv")) == manifest)
    var other = options
    other.seed = 1
    #expect(message { try MiniatureDataset(other).write(to: directory.path) { _ in } }.contains("other options"))
    let foreign = try TemporaryDirectory()
    _ = try foreign.manifest([TableRow(video: "a.mp4")])
    let own = try FileManager.default.subpathsOfDirectory(atPath: foreign.path).sorted()
    #expect(message { try dataset.write(to: foreign.path) { _ in } }.contains("another data set"))
    #expect(try FileManager.default.subpathsOfDirectory(atPath: foreign.path).sorted() == own)
    // A machine that lost its power leaves a name without contents.
    try Data().write(to: URL(fileURLWithPath: video))
    try dataset.write(to: directory.path) { _ in }
    #expect(try ContentDigest(ofFile: video) == bytes)
  }

  @Test("a file in the place of the folder is told as such")
  func fileAsFolder() throws {
    let file = try directory.write("x", to: "image.png")
    #expect(throws: FileFailure(path: file, action: "make this folder", code: ENOTDIR)) {
      try MiniatureDataset(options).write(to: file) { _ in }
    }
  }

  @Test("a number of videos out of range is told with the range", arguments: [-1, 0, 47, 1_000_001, Int.max])
  func videoCount(_ count: Int) {
    var options = options
    options.videos = count
    let text = message { _ = try MiniatureDataset(options) }
    #expect(text.contains("from 48 (2 for each condition) to 1000000, not \(count)"), "\(text)")
  }

  @Test("impossible options are refused")
  func refusals() {
    for change: (inout MiniatureDataset.Options) -> Void in [
      { $0.videos = 47 }, { $0.groupSize = 1 }, { $0.scenes = 1 }, { $0.format.size = 20 }, { $0.format.size = 8 },
      { $0.format.frames = 16 }, { $0.format.frames = 1 }, { $0.captionShare = 2 },
    ] {
      var options = options
      change(&options)
      #expect(throws: DatasetFailure.self) { try MiniatureDataset(options) }
    }
  }

  @Test("the sheet shows every condition")
  func sheet() throws {
    var format = MiniatureClip.Format()
    format.size = 16
    format.frames = 9
    let sheet = try #require(MiniatureSheet.picture(seed: 1, format, framesPerClip: 3, scale: 1))
    #expect(sheet.size == FrameSize(width: 4 * 3 * 16 + 12, height: 7 * 16))
  }
}
