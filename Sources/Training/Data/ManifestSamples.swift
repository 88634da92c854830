import Datasets
import Runtime

/// The samples of a manifest as a trainer asks for them.
package struct ManifestSamples: SampleSource {
  private let pairs: EncodedPairs
  private let observer: RunObserver

  /// - Parameter observer: warned of each bad video once.
  package init(_ pairs: EncodedPairs, observer: @escaping RunObserver) {
    self.pairs = pairs
    self.observer = observer
  }

  package var digest: String { pairs.digest }
  package var badItems: BadItems { pairs.tally.items }

  package func sample(at index: Int) throws -> TrainingSample {
    let pair = try pairs.pair(at: index, observer: observer)
    return TrainingSample(target: pair.target, references: pair.references)
  }
}
