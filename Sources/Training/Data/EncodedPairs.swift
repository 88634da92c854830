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
/// A sample whose videos cannot be read is replaced by another of the same number.
package struct EncodedPairs: Sendable {
  package let sampler: PairSampler
  package let rows: EncodedRows

  package init(_ sampler: PairSampler, _ source: EncodedClipSource, limit: BadLimit = .usual) {
    self.sampler = sampler
    rows = EncodedRows(sampler.pool.manifest, source, limit: limit)
  }

  package var tally: BadVideoTally { rows.tally }
  package var digest: String { rows.digest }

  /// - Parameter observer: warned of each bad video once.
  package func pair(at index: Int, observer: @escaping RunObserver) throws -> EncodedPair {
    try rows.firstReadable { attempt in
      let sample = sampler.sample(index, attempt: attempt)
      func clip(_ row: Int, _ role: EncodedRows.Role) throws -> EncodedClip? {
        try rows.clip(row, as: role, dropsCaption: sample.dropsCaptions, observer: observer)
      }
      guard let target = try clip(sample.target, .target) else { return nil }
      var references: [EncodedClip] = []
      for row in sample.references {
        guard let reference = try clip(row, .reference) else { return nil }
        references.append(reference)
      }
      return EncodedPair(sample: sample, target: target, references: references)
    }
  }
}
