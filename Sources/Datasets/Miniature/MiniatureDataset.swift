import Compute
import Foundation
import Media
import Runtime
import Synchronization

/// The miniature world as a data set in VAP-Data's layout: rendered videos, `vap_data.csv`, and a benchmark.
///
/// Videos come in groups that share condition, speed and onset, and list each other as references: so a reference shows
/// how a condition unfolds, which neutral captions do not say.
package struct MiniatureDataset: Sendable {
  package struct Options: Sendable, Equatable {
    /// Videos to train on, spread evenly over the trained conditions.
    package var videos = 960
    package var seed: UInt64 = 42
    package var format = MiniatureClip.Format()
    /// Videos of a group.
    package var groupSize = 4
    /// Share of the training captions that name the condition and the speed.
    package var captionShare = 0.5
    /// Rows of the benchmark for each condition; the first two of each are the same for any number.
    package var scenes = 2
    /// Constant rate factor of the videos.
    package var quality = 12

    package init() {}
  }

  /// A video of the data set.
  package struct Item: Sendable {
    package let path: String
    package let clip: MiniatureClip
    package let caption: String
    package let split: String
    package let references: [String]
  }

  package let items: [Item]
  package let benchmark: [BenchmarkTable.Row]
  /// The benchmark's targets, each with a reference that shows another condition, of another category; a row's condition
  /// is what its reference shows.
  package let otherReferences: [BenchmarkTable.Row]
  /// The benchmark of conditions that are never trained on.
  package let zeroShot: [BenchmarkTable.Row]
  private let options: Options

  package static let testSplit = "test"
  package static let zeroShotSplit = "zero_shot"

  /// Videos of the largest data set, whose plan takes about a gigabyte of memory.
  private static let most = 1_000_000
  /// Bytes of the clips that are rendered beside each other.
  private static let batchBytes = 512 << 20

  /// Plans the data set; nothing is rendered yet. Throws `DatasetFailure.rules` or `Interrupted`.
  package init(_ options: Options, observer: RunObserver = { _ in }) throws {
    let conditions = MiniatureCondition.trained
    guard (2...100).contains(options.groupSize) else {
      throw DatasetFailure.rules("groups must have from 2 to 100 videos, not \(options.groupSize)")
    }
    let fewest = conditions.count * options.groupSize
    guard (fewest...Self.most).contains(options.videos) else {
      throw DatasetFailure.rules(
        "--videos must be from \(fewest) (\(options.groupSize) for each condition) to \(Self.most), not \(options.videos)"
      )
    }
    guard options.format.size.isMultiple(of: 8), (16...512).contains(options.format.size) else {
      throw DatasetFailure.rules("--size must be a multiple of 8 from 16 to 512, not \(options.format.size)")
    }
    guard options.format.frames % 8 == 1, (9...257).contains(options.format.frames) else {
      throw DatasetFailure.rules("--frames must be 8k + 1 from 9 to 257, not \(options.format.frames)")
    }
    guard (2...1000).contains(options.scenes) else {
      throw DatasetFailure.rules("--benchmark-scenes must be from 2 to 1000, not \(options.scenes)")
    }
    guard (0...1).contains(options.captionShare) else {
      throw DatasetFailure.rules("--caption-share must be from 0 to 1, not \(options.captionShare)")
    }
    self.options = options
    var plan = Plan(options)
    let groups = options.videos / (conditions.count * options.groupSize)
    observer(.stage("plan videos", units: options.videos))
    for condition in conditions {
      for _ in 0..<groups {
        try Interruption.check()
        plan.addTrainingGroup(condition)
      }
      observer(.progress(plan.items.count))
    }
    func pairs(_ conditions: [MiniatureCondition], _ numbers: Range<Int>) -> [BenchmarkTable.Row] {
      conditions.flatMap { condition in numbers.map { plan.addBenchmarkPair(condition, number: $0) } }
    }
    // The usual rows first, so that further ones change none of them.
    let usual = (pairs(conditions, 0..<2), pairs(MiniatureCondition.zeroShot, 0..<2))
    benchmark = usual.0 + pairs(conditions, 2..<options.scenes)
    zeroShot = usual.1 + pairs(MiniatureCondition.zeroShot, 2..<options.scenes)
    otherReferences = Self.withOtherReferences(benchmark)
    items = plan.items
  }

  /// Each row with the reference of another one, which is of another category and as often used as any.
  private static func withOtherReferences(_ rows: [BenchmarkTable.Row]) -> [BenchmarkTable.Row] {
    let names = MiniatureCondition.trained.map(\.rawValue)
    let byCondition = Dictionary(grouping: rows, by: \.condition)
    var places: [String: Int] = [:]
    return rows.map { row in
      // One category has six conditions, which follow each other.
      let other = names[((names.firstIndex(of: row.condition) ?? 0) + 7) % names.count]
      let place = places[row.condition, default: 0]
      places[row.condition] = place + 1
      let shown = byCondition[other]?[place] ?? row
      return BenchmarkTable.Row(
        target: row.target, reference: shown.reference, targetCaption: row.targetCaption,
        referenceCaption: shown.referenceCaption, condition: shown.condition, outputName: "")
    }
  }

  /// Renders and writes everything into a folder, tables last.
  ///
  /// Videos that are there already are taken as they are unless they are empty, so an interrupted run goes on where it
  /// stopped; a folder of another plan is refused. Throws `DatasetFailure`, `MediaFailure`, `FileFailure` or `Interrupted`.
  package func write(to root: String, observer: RunObserver) throws {
    try claim(root)
    observer(.stage("render videos", units: items.count))
    var writing = VideoWriter.Options()
    writing.quality = options.quality
    writing.overwrites = true
    let clipBytes = options.format.frames * options.format.size * options.format.size * 3
    let size = max(1, min(16, Self.batchBytes / clipBytes))
    for start in stride(from: 0, to: items.count, by: size) {
      try Interruption.check()
      let batch = Array(items[start..<min(start + size, items.count)])
      let places = batch.map { "\(root)/\($0.path)" }
      // A machine that lost its power leaves empty files.
      let missing = batch.indices.filter { ((try? RegularFile(path: places[$0]).size) ?? 0) == 0 }
      let clips = Self.rendered(missing.map { batch[$0].clip }, options.format)
      for (place, clip) in zip(missing, clips) { try VideoWriter.write(clip, to: places[place], options: writing) }
      observer(.progress(min(start + size, items.count)))
    }
    try writeTables(to: root)
  }

  /// A few clips at a time, one for each thread.
  static func rendered(_ clips: [MiniatureClip], _ format: MiniatureClip.Format) -> [VideoClip] {
    let results = Mutex([VideoClip?](repeating: nil, count: clips.count))
    Workers.forEach(clips.count) { place in
      let rendered = clips[place].render(format)
      results.withLock { $0[place] = rendered }
    }
    return results.withLock { $0 }.compactMap { $0 }
  }

  private func writeTables(to root: String) throws {
    try ManifestWriter.write(benchmark: benchmark, to: "\(root)/benchmark/\(BenchmarkTable.fileName)")
    try ManifestWriter.write(benchmark: otherReferences, to: "\(root)/benchmark/wrong_references.csv")
    try ManifestWriter.write(benchmark: zeroShot, to: "\(root)/benchmark/zero_shot.csv")
    try CSVWriter.write(
      header: [
        Manifest.Column.video, "seed", "shape", "pattern", "color", Manifest.Column.condition, "speed", "onset",
      ],
      rows: items.lazy.map { item in
        let (clip, subject) = (item.clip, item.clip.subject)
        return [
          item.path, "\(clip.seed)", subject.shape.name, subject.pattern.name, subject.color.name,
          clip.condition.rawValue, "\(clip.timing.speed)", "\(clip.timing.onset)",
        ]
      }, to: "\(root)/truth.csv")
    let rows = items.map { item in
      Manifest.Row(
        video: item.path, references: item.references, caption: item.caption, condition: item.clip.condition.rawValue,
        category: item.clip.condition.category.rawValue, split: item.split, score: 100, isValid: true)
    }
    try ManifestWriter.write(rows, to: "\(root)/\(Manifest.fileName)")
  }

  /// Marks the data set with its plan, and makes its folders; leaves those of others as they are.
  private func claim(_ root: String) throws {
    let mark = "\(root)/plan.txt"
    let plan = "\(options)\n"
    if let found = FileManager.default.contents(atPath: mark) {
      guard found == Data(plan.utf8) else {
        throw DatasetFailure.folder(
          path: root, problem: "holds a data set made with other options (plan.txt); choose another folder")
      }
    } else {
      guard !FileManager.default.fileExists(atPath: "\(root)/\(Manifest.fileName)") else {
        throw DatasetFailure.folder(path: root, problem: "holds another data set; choose another folder")
      }
      try Folder.make(root)
      try AtomicFile.write(Data(plan.utf8), to: mark)
    }
    let folders = Set(items.map { URL(fileURLWithPath: $0.path).deletingLastPathComponent().relativePath })
    for folder in folders.sorted() + ["benchmark"] { try Folder.make("\(root)/\(folder)") }
  }
}

/// The videos of a data set while they are drawn.
private struct Plan {
  private(set) var items: [MiniatureDataset.Item] = []
  private let options: MiniatureDataset.Options
  private var random: RandomGenerator
  private let trained = MiniatureSubject.all.filter { !$0.isHeldOut }
  private let heldOut = MiniatureSubject.all.filter(\.isHeldOut)

  init(_ options: MiniatureDataset.Options) {
    self.options = options
    random = RandomGenerator(seed: options.seed ^ 0x4D69_6E69_6174_7572)
  }

  /// Videos of one condition and timing, each with a subject of its own.
  mutating func addTrainingGroup(_ condition: MiniatureCondition) {
    let timing = timing()
    let paths = (0..<options.groupSize).map { path("videos/\(condition.rawValue)", items.count + $0) }
    for path in paths {
      let clip = clip(of: trained, condition, timing)
      let isNeutral = random.drawUniform() >= options.captionShare
      items.append(
        MiniatureDataset.Item(
          path: path, clip: clip, caption: clip.caption(isNeutral: isNeutral), split: PairingRules.split,
          references: paths.filter { $0 != path }))
    }
  }

  /// A target and its reference with subjects that training never shows, and captions that tell no condition.
  mutating func addBenchmarkPair(_ condition: MiniatureCondition, number: Int) -> BenchmarkTable.Row {
    let timing = timing()
    let reference = clip(of: heldOut, condition, timing)
    var target = reference
    while target.subject == reference.subject { target = clip(of: heldOut, condition, timing) }
    let names = ["target", "reference"].map { "benchmark/videos/\(condition.rawValue)-\(number)-\($0).mp4" }
    let split = condition.isTrained ? MiniatureDataset.testSplit : MiniatureDataset.zeroShotSplit
    let captions = [target, reference].map { $0.caption(isNeutral: true) }
    for (place, clip) in [target, reference].enumerated() {
      items.append(
        MiniatureDataset.Item(
          path: names[place], clip: clip, caption: captions[place], split: split, references: [names[1 - place]]))
    }
    return BenchmarkTable.Row(
      target: names[0], reference: names[1], targetCaption: captions[0], referenceCaption: captions[1],
      condition: condition.rawValue, outputName: "")
  }

  private mutating func timing() -> MiniatureTiming {
    MiniatureTiming(speed: 0.6 + 0.8 * Float(random.drawUniform()), onset: 0.3 * Float(random.drawUniform()))
  }

  private mutating func clip(
    of subjects: [MiniatureSubject], _ condition: MiniatureCondition, _ timing: MiniatureTiming
  ) -> MiniatureClip {
    let subject = subjects[random.drawIndex(below: subjects.count)]
    // Seeds that a table keeps exactly in whatever program reads it.
    return MiniatureClip(
      seed: UInt64(random.drawIndex(below: 1 << 52)), subject: subject, condition: condition, timing: timing)
  }

  private func path(_ folder: String, _ number: Int) -> String {
    let digits = String(number)
    return "\(folder)/\(String(repeating: "0", count: max(0, 6 - digits.count)))\(digits).mp4"
  }
}
