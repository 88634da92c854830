import Compute
import Media
import Runtime
import Synchronization

/// Looks at a whole data set: opens or decodes every video and counts what training could not use.
package enum DataCheck {
  package struct Report: Sendable {
    package let manifest: Manifest
    /// Rows of the table and videos that cannot be used.
    package let bad: BadItems
    package let statistics: DatasetStatistics
    /// Conditions with one video, which has no reference.
    package let lonelyConditions: [String]
    /// Listed references that are no row of the table.
    package let unknownReferences: Int
    /// Rows that list themselves as reference; it is never drawn.
    package let selfReferences: Int
    /// Why the benchmark's table cannot be read, or what is wrong with it.
    package let benchmark: [String]
  }

  /// How closely videos are looked at.
  package enum Depth: Sendable {
    /// Files must be there.
    case presence
    /// All frames must decode.
    case frames
  }

  /// - Parameter observer: told the progress; throws `Interrupted`, or failures of the machine.
  package static func run(
    _ manifest: Manifest, in folder: DataFolder, depth: Depth, reading: ReadingOptions = ReadingOptions(),
    observer: RunObserver
  ) throws -> Report {
    var bad = manifest.bad
    var lengths = [ClipLength?](repeating: nil, count: manifest.count)
    observer(.stage(depth == .frames ? "decode videos" : "look for videos", units: manifest.count))
    // Some files at a time, one for each thread: the decoder is held to one.
    let batch = 64
    for start in stride(from: 0, to: manifest.count, by: batch) {
      try Interruption.check()
      let rows = start..<min(start + batch, manifest.count)
      let outcomes = Mutex([Result<ClipLength?, any Error>?](repeating: nil, count: rows.count))
      Workers.forEach(rows.count) { place in
        let video = manifest[start + place].video
        let outcome = Result {
          try UnreadableVideo.catching(video) {
            try Self.length(of: video, in: folder, depth: depth, reading: reading)
          }
        }
        outcomes.withLock { $0[place] = outcome }
      }
      for (place, outcome) in outcomes.withLock({ $0 }).enumerated() {
        switch outcome {
        case .success(let length): lengths[start + place] = length
        case .failure(let error):
          // What is not the file's fault ends the check.
          guard let unreadable = error as? UnreadableVideo else { throw error }
          bad.note(row: nil, video: unreadable.video, reason: unreadable.reason)
        case nil: break
        }
      }
      observer(.progress(rows.upperBound))
    }
    return Report(
      manifest: manifest, bad: bad, statistics: DatasetStatistics(manifest, lengths: lengths),
      lonelyConditions: lonelyConditions(manifest), unknownReferences: unknownReferences(manifest),
      selfReferences: selfReferences(manifest), benchmark: benchmarkProblems(in: folder))
  }

  private static func length(
    of video: String, in folder: DataFolder, depth: Depth, reading: ReadingOptions
  ) throws -> ClipLength? {
    let path = try folder.file(video)
    guard depth == .frames else { return nil }
    let reader = try VideoReader(path: path, options: reading)
    let frames = try reader.frameCount()
    return ClipLength(frames: frames, seconds: Double(frames) / reader.frameRate.value)
  }

  private static func lonelyConditions(_ manifest: Manifest) -> [String] {
    let contents = manifest.contents
    var counts: [UInt32: Int] = [:]
    for row in contents.rows { counts[row.condition, default: 0] += 1 }
    return counts.filter { $0.value == 1 }.map { contents.words[$0.key] }.sorted()
  }

  private static func unknownReferences(_ manifest: Manifest) -> Int {
    manifest.contents.references.count { manifest.contents.row(ofVideo: $0) == nil }
  }

  private static func selfReferences(_ manifest: Manifest) -> Int {
    let contents = manifest.contents
    return contents.rows.indices.count { contents.references(of: $0).contains(contents.rows[$0].video) }
  }

  /// Nothing if there is no benchmark.
  private static func benchmarkProblems(in folder: DataFolder) -> [String] {
    guard let path = try? BenchmarkTable.find(in: folder.path) else { return [] }
    do {
      let table = try BenchmarkTable(path: path, limit: .share(1))
      let missing = table.rows.flatMap { [$0.target, $0.reference] }.filter { (try? folder.file($0)) == nil }
      return [table.warning].compactMap { $0 } + table.bad.items.map { "\(path): \($0.line)" }
        + Set(missing).sorted().map { "\(path): no video \(printable($0, limit: 300))" }
    } catch {
      return [(error as? any Failure)?.message ?? "\(error)"]
    }
  }
}
