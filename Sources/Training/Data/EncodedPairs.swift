import Backbones
import Datasets
import Runtime

/// A target and its references, encoded.
package struct EncodedPair: Sendable {
  package let sample: PairSample
  package let target: EncodedClip
  package let references: [EncodedClip]
}

/// The samples of a manifest, encoded: a sample depends on its number, the manifest, the rules and the files alone.
///
/// A sample whose videos cannot be read is replaced by another of the same number; the bad videos are counted by name, and
/// the run ends when they are too many.
package struct EncodedPairs: Sendable {
  package let sampler: PairSampler
  private let source: EncodedClipSource
  package let tally: BadVideoTally

  package init(_ sampler: PairSampler, _ source: EncodedClipSource, limit: BadLimit = .usual) {
    self.sampler = sampler
    self.source = source
    let manifest = sampler.pool.manifest
    tally = BadVideoTally(path: manifest.path, total: manifest.totalCount, limit: limit, known: manifest.bad)
  }

  /// Tells this data from other data: the manifest's digest.
  package var digest: String { sampler.pool.manifest.digest.description }

  /// - Parameter observer: warned of each bad video once.
  package func pair(at index: Int, observer: @escaping RunObserver) throws -> EncodedPair {
    // Far more tries than a manifest within its limit of bad videos can need.
    for attempt in 0..<1000 {
      let sample = sampler.sample(index, attempt: attempt)
      if let pair = try encoded(sample, observer: observer) { return pair }
    }
    throw DatasetFailure.nothingLeft(
      path: sampler.pool.manifest.path, reasons: "a thousand samples in a row could not be read")
  }

  /// Nil if one of the videos cannot be read.
  private func encoded(_ sample: PairSample, observer: @escaping RunObserver) throws -> EncodedPair? {
    let manifest = sampler.pool.manifest
    func clip(_ row: Int, _ clean: (String) -> String) throws -> EncodedClip? {
      let row = manifest[row]
      do {
        return try source.clip(
          row.video, caption: sample.dropsCaptions ? "" : clean(row.caption), observer: observer)
      } catch let bad as UnreadableVideo {
        if try tally.note(bad) { observer(.warning("left out: \(bad.message)")) }
        return nil
      }
    }
    guard let target = try clip(sample.target, CaptionRules.target) else { return nil }
    var references: [EncodedClip] = []
    for row in sample.references {
      guard let reference = try clip(row, CaptionRules.reference) else { return nil }
      references.append(reference)
    }
    return EncodedPair(sample: sample, target: target, references: references)
  }
}
