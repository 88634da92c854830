import Datasets
import Runtime

/// Encodes everything that training on a manifest may read, before it begins.
///
/// What is there already is left alone, so an interrupted filling is taken up by running it again.
package struct CacheFilling: Sendable {
  package struct Summary: Sendable, Equatable {
    package var clips = 0
    package var captions = 0
    /// Clips and captions that were in the cache before.
    package var kept = 0
    package var bad = BadItems()
  }

  private let pool: PairPool
  private let source: EncodedClipSource
  private let tally: BadVideoTally
  private let dropsCaptions: Bool

  /// - Parameter dropsCaptions: whether training leaves captions blank at times.
  package init(_ pool: PairPool, _ source: EncodedClipSource, dropsCaptions: Bool, limit: BadLimit = .usual) {
    self.pool = pool
    self.source = source
    self.dropsCaptions = dropsCaptions
    let manifest = pool.manifest
    tally = BadVideoTally(path: manifest.path, total: manifest.totalCount, limit: limit, known: manifest.bad)
  }

  /// Throws `DatasetFailure.tooManyBad`, failures of the machine, or `Interrupted`; what is encoded by then stays.
  package func run(observer: @escaping RunObserver) throws -> Summary {
    var summary = Summary()
    try encodeClips(&summary, observer)
    try encodeCaptions(&summary, observer)
    summary.bad = tally.items
    return summary
  }

  private func encodeClips(_ summary: inout Summary, _ observer: @escaping RunObserver) throws {
    let videos = pool.rows.map { pool.manifest[$0].video }
    var missing: [String] = []
    try forEach(videos, "look for clips in the cache", observer) { video in
      if try source.isKept(video) { summary.kept += 1 } else { missing.append(video) }
    }
    try forEach(missing, "encode clips", observer) { video in
      _ = try source.clip(video, observer: observer)
      summary.clips += 1
    }
  }

  private func encodeCaptions(_ summary: inout Summary, _ observer: @escaping RunObserver) throws {
    var seen: Set<String> = []
    var missing: [String] = []
    func need(_ caption: String) {
      guard seen.insert(caption).inserted else { return }
      if source.isKept(caption: caption) { summary.kept += 1 } else { missing.append(caption) }
    }
    if dropsCaptions { need("") }
    for row in pool.rows {
      let caption = pool.manifest[row].caption
      need(CaptionRules.target(caption))
      need(CaptionRules.reference(caption))
    }
    observer(.stage("encode captions", units: missing.count))
    for (index, caption) in missing.enumerated() {
      try Interruption.check()
      _ = try source.caption(caption, observer: observer)
      summary.captions += 1
      observer(.progress(index + 1))
    }
  }

  /// Bad videos are noted, with a warning each.
  private func forEach(
    _ videos: [String], _ stage: String, _ observer: RunObserver, _ body: (String) throws -> Void
  ) throws {
    observer(.stage(stage, units: videos.count))
    for (index, video) in videos.enumerated() {
      try Interruption.check()
      do {
        try body(video)
      } catch let bad as UnreadableVideo {
        if try tally.note(bad) { observer(.warning("left out: \(bad.message)")) }
      }
      observer(.progress(index + 1))
    }
  }
}
