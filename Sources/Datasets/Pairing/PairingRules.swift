/// Which rows of a manifest are trained on, and how targets and references are drawn from them.
///
/// The published rules with their faults mended; `published` has the faults too:
///
/// | | published | here |
/// |---|---|---|
/// | order of rows | the same in every epoch | another one in every epoch |
/// | random choices | not seeded | from the seed and the sample's number alone |
/// | row without usable references | one video of its condition, drawn once | any of its condition, drawn each time |
/// | fewer references than wanted | an error | all there are |
/// | number of rows | cut to a multiple of 48 | all |
package struct PairingRules: Sendable, Equatable {
  package var seed: UInt64 = 42
  /// Rows must score more than this.
  package var scoreThreshold = 0.0
  /// Trains on this condition alone (the paper's baseline).
  package var condition: String?
  /// References of a target, 1...3.
  package var referenceCount = 1
  /// Probability that a reference after the first is left out.
  package var referenceDropout = 0.0
  /// Probability that a sample's captions, of target and references, are all blank.
  package var captionDropout = 0.02
  /// Uses so many rows only, the same ones in every epoch (the paper's data scales).
  package var rowLimit: Int?
  /// Leaves out rows until their number is a multiple of this.
  package var rowMultiple = 1
  package var reordersEpochs = true
  /// Whether a row whose references cannot be used draws from its condition anew for each sample.
  package var redrawsSubstitutes = true

  package static let split = "train"

  package init() {}

  /// As the published training does it.
  package static var published: PairingRules {
    var rules = PairingRules()
    rules.rowMultiple = 48
    rules.reordersEpochs = false
    rules.redrawsSubstitutes = false
    return rules
  }

  /// Throws `DatasetFailure.rules`.
  package func validate() throws(DatasetFailure) {
    guard (1...3).contains(referenceCount) else {
      throw .rules("the number of references must be 1, 2 or 3, not \(referenceCount)")
    }
    for (name, value) in [("references", referenceDropout), ("captions", captionDropout)] {
      guard (0...1).contains(value) else { throw .rules("the dropout of \(name) must be from 0 to 1, not \(value)") }
    }
    guard scoreThreshold.isFinite else { throw .rules("the score threshold must be a number") }
    guard rowLimit.map({ $0 > 0 }) ?? true else { throw .rules("the number of rows to train on must be positive") }
    guard rowMultiple > 0 else { throw .rules("rows must be a multiple of at least 1, not \(rowMultiple)") }
    guard rowMultiple == 1 || rowLimit.map({ $0 % rowMultiple == 0 }) ?? true else {
      throw .rules("the number of rows to train on must be a multiple of \(rowMultiple) by the published rule")
    }
  }
}
