import Backbones
import Datasets
import Runtime

/// Pairs of a manifest's videos as a trainer asks for them, encoded.
package struct PreferenceSamples: SampleSource {
  private let sampler: PreferenceSampler
  private let rows: EncodedRows
  private let observer: RunObserver

  /// - Parameter observer: warned of each bad video once.
  package init(_ sampler: PreferenceSampler, _ rows: EncodedRows, observer: @escaping RunObserver) {
    self.sampler = sampler
    self.rows = rows
    self.observer = observer
  }

  package var digest: String { rows.digest }
  package var badItems: BadItems { rows.tally.items }

  package func sample(at index: Int) throws -> TrainingSample {
    try rows.firstReadable { attempt in
      let sample = sampler.sample(index, attempt: attempt)
      func clip(_ row: Int, _ role: EncodedRows.Role) throws -> EncodedClip? {
        try rows.clip(row, as: role, dropsCaption: sample.dropsCaptions, observer: observer)
      }
      guard let better = try clip(sample.win, .target), let worse = try clip(sample.lose, .target),
        let reference = try clip(sample.reference, .reference)
      else { return nil }
      return TrainingSample(
        target: ClipPair(better: better, worse: worse, weight: sample.weight).packed, references: [reference])
    }
  }
}
