import Backbones
import Datasets

/// One target and the references that its semantic is read from, earliest first.
package struct TrainingSample: Sendable {
  package let target: EncodedClip
  package let references: [EncodedClip]

  package init(target: EncodedClip, references: [EncodedClip]) {
    self.target = target
    self.references = references
  }
}

/// Where samples come from. A sample depends on its index alone, so that a run is taken up at any of them.
package protocol SampleSource {
  /// Tells this data from other data; a run does not go on with other data than it began with.
  var digest: String { get }
  func sample(at index: Int) throws -> TrainingSample
  /// Several samples, made side by side where the source can.
  func samples(at indices: [Int]) throws -> [TrainingSample]
  /// What turned out to be unusable so far.
  var badItems: BadItems { get }
}

extension SampleSource {
  package func samples(at indices: [Int]) throws -> [TrainingSample] { try indices.map(sample) }
  package var badItems: BadItems { BadItems() }
}
