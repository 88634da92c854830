/// Where a run stands: with weights, optimizer and averages all that it needs to go on.
package struct TrainingProgress: Sendable, Equatable, Codable {
  /// Finished steps, skipped ones included; the position in the samples follows from it.
  package var step = 0
  /// Steps without an update because of values that were not finite, and how many of the latest in a row.
  package var skipped = 0
  package var skippedInRow = 0
  /// Mean of the latest losses, each new one with the share `lossShare`; nil before the first.
  package var smoothedLoss: Double?

  package init() {}

  /// Whether a run can have come here.
  var isPossible: Bool {
    (0...1_000_000_000).contains(step) && (0...step).contains(skipped) && (0...skipped).contains(skippedInRow)
  }

  private static let lossShare = 0.02

  /// The mean after another loss.
  static func smoothed(_ mean: Double?, _ loss: Double) -> Double { mean.map { $0 + lossShare * (loss - $0) } ?? loss }

  mutating func finishStep(loss: Double, isUpdated: Bool) {
    step += 1
    skippedInRow = isUpdated ? 0 : skippedInRow + 1
    if isUpdated {
      smoothedLoss = Self.smoothed(smoothedLoss, loss)
    } else {
      skipped += 1
    }
  }
}
