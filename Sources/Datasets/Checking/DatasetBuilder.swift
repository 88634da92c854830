import Compute
import Foundation
import Runtime

/// Makes the tables of a data set from a folder of videos: `condition/video.mp4`, or `category/condition/video.mp4`,
/// each with its caption in `video.txt` beside it.
package struct DatasetBuilder: Sendable {
  package struct Options: Sendable {
    /// Share of each condition's videos that is kept from training, 0..<1.
    package var testShare = 0.0
    /// Score of all videos.
    package var score = 100.0
    /// Most references that a row lists; all others of its condition if there are fewer.
    package var referenceCount = 10
    package var seed: UInt64 = 42

    package init() {}
  }

  package struct Tables: Sendable {
    package let rows: [Manifest.Row]
    package let benchmark: [BenchmarkTable.Row]
    /// Videos without a caption, and folders of one video.
    package let warnings: [String]
  }

  private static let endings: Set<String> = ["mp4", "mkv", "mov", "webm", "avi", "m4v"]

  private let root: String
  private let options: Options

  package init(root: String, _ options: Options = Options()) throws(DatasetFailure) {
    guard (0..<1).contains(options.testShare) else {
      throw .rules("the share of test videos must be at least 0 and less than 1, not \(options.testShare)")
    }
    guard (0...100).contains(options.score) else {
      throw .rules("the score must be from 0 to 100, not \(options.score)")
    }
    guard options.referenceCount > 0 else { throw .rules("rows must list at least one reference") }
    self.root = root
    self.options = options
  }

  /// Looks through the folder; captions are read, videos are not.
  package func build() throws -> Tables {
    var found: [String: [Video]] = [:]
    var warnings: [String] = []
    for name in try videoNames() {
      let parts = name.split(separator: "/").map(String.init)
      guard (2...3).contains(parts.count) else {
        warnings.append("\(printable(name, limit: 300)): stands in no folder of a condition and is left out")
        continue
      }
      guard let caption = try caption(of: name) else {
        warnings.append("\(printable(name, limit: 300)): no caption in a .txt file of the same name; left out")
        continue
      }
      let video = Video(name: name, caption: caption, category: parts.count == 3 ? parts[0] : "other")
      found[parts[parts.count - 2], default: []].append(video)
    }
    guard !found.isEmpty else {
      throw DatasetFailure.folder(
        path: root, problem: "no videos with captions: lay them out as condition/video.mp4 and condition/video.txt")
    }
    var rows: [Manifest.Row] = []
    var benchmark: [BenchmarkTable.Row] = []
    for (place, (condition, videos)) in found.sorted(by: { $0.key < $1.key }).enumerated() {
      if videos.count == 1 { warnings.append("'\(printable(condition))' has one video, which cannot be trained on") }
      let split = split(videos, place: place)
      rows += try split.train.map { try row($0, condition, "train", others: split.train) }
      rows += try split.test.map { try row($0, condition, "test", others: split.train) }
      for (index, video) in split.test.enumerated() where !split.train.isEmpty {
        let reference = split.train[index % split.train.count]
        benchmark.append(
          BenchmarkTable.Row(
            target: video.name, reference: reference.name, targetCaption: video.caption,
            referenceCaption: reference.caption, condition: condition, outputName: ""))
      }
    }
    return Tables(rows: rows, benchmark: benchmark, warnings: warnings)
  }

  /// Writes the tables; throws `DatasetFailure.folder` rather than replace one unless told to.
  ///
  /// - Returns: the files.
  package func write(_ tables: Tables, overwrites: Bool) throws -> [String] {
    let manifest = "\(root)/\(Manifest.fileName)"
    let benchmark = "\(root)/benchmark/\(BenchmarkTable.fileName)"
    let files = tables.benchmark.isEmpty ? [manifest] : [manifest, benchmark]
    for file in files where !overwrites && FileManager.default.fileExists(atPath: file) {
      throw DatasetFailure.folder(path: file, problem: "exists already; give --overwrite to replace it")
    }
    if files.count > 1 {
      let folder = "\(root)/benchmark"
      guard mkdir(folder, 0o755) == 0 || errno == EEXIST else {
        throw FileFailure(path: folder, action: "make this folder")
      }
      try ManifestWriter.write(benchmark: tables.benchmark, to: benchmark)
    }
    try ManifestWriter.write(tables.rows, to: manifest)
    return files
  }

  private struct Video: Sendable {
    let name: String
    let caption: String
    let category: String
  }

  private func videoNames() throws -> [String] {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: root, isDirectory: &isDirectory), isDirectory.boolValue else {
      throw FileFailure(path: root, action: "find this folder", code: ENOENT)
    }
    guard let walk = FileManager.default.enumerator(atPath: root) else {
      throw FileFailure(path: root, action: "list its files", code: EACCES)
    }
    var names: [String] = []
    while let name = walk.nextObject() as? String {
      try Interruption.check()
      let url = URL(fileURLWithPath: name)
      if Self.endings.contains(url.pathExtension.lowercased()) { names.append(name) }
    }
    return names.sorted()
  }

  /// The text of the file beside a video; nil if there is none or it is blank.
  private func caption(of name: String) throws -> String? {
    let path = URL(fileURLWithPath: "\(root)/\(name)").deletingPathExtension().appendingPathExtension("txt").path
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = try MappedFile(path: path)
    guard file.byteCount <= 1 << 20, let text = file.withBytes({ String(validating: $0, as: UTF8.self) }),
      !text.contains("\0")
    else { throw DatasetFailure.folder(path: path, problem: "is no caption of UTF-8 text up to 1 MiB") }
    let caption = text.trimmingCharacters(in: .whitespacesAndNewlines)
    return caption.isEmpty ? nil : caption
  }

  private func split(_ videos: [Video], place: Int) -> (train: [Video], test: [Video]) {
    let count = Int((Double(videos.count) * options.testShare).rounded())
    let order = KeyedPermutation(count: videos.count, seed: SampleStream.key(options.seed), stream: UInt64(place))
    let test = Set((0..<min(count, videos.count - 1)).map { order[$0] })
    return (
      videos.indices.filter { !test.contains($0) }.map { videos[$0] }, test.sorted().map { videos[$0] }
    )
  }

  private func row(_ video: Video, _ condition: String, _ split: String, others: [Video]) throws -> Manifest.Row {
    let place = others.firstIndex { $0.name >= video.name } ?? 0
    // The next ones in a ring, so that all are listed equally often.
    let following = (0..<others.count).map { others[(place + $0) % others.count].name }
    return Manifest.Row(
      video: video.name, references: Array(following.filter { $0 != video.name }.prefix(options.referenceCount)),
      caption: video.caption, condition: condition, category: video.category, split: split, score: options.score,
      isValid: true)
  }
}
