import Compute

/// Whether two systems differ on the same samples: a permutation test of the mean difference.
///
/// If they did not differ, each sample's difference could as well have the other sign. The p-value is the share of
/// choices of signs whose mean is at least as far from 0 as the observed one: all choices where they are few, else random
/// ones, of which the observed counts as one. Nothing is assumed about the scores, so it also serves for yes and no.
package struct PairedTest: Sendable, Equatable {
  /// Samples that both systems have.
  package let count: Int
  /// Mean of second minus first.
  package let meanDifference: Double
  /// Of the mean difference.
  package let interval: BootstrapInterval?
  /// Two-sided.
  package let pValue: Double

  /// Differences up to which all choices of signs are tried.
  private static let mostExact = 14
  private static let randomChoices = 20_000

  /// Nil if no sample has a score from both.
  ///
  /// - Parameters: first, second: scores of the same samples in the same order; nil where there is none.
  package init?(_ first: [Double?], _ second: [Double?], using generator: inout RandomGenerator) {
    precondition(first.count == second.count, "\(first.count) scores are compared with \(second.count)")
    let differences = zip(first, second).compactMap { pair -> Double? in
      guard let a = pair.0, let b = pair.1 else { return nil }
      return b - a
    }
    guard !differences.isEmpty else { return nil }
    count = differences.count
    let sum = differences.reduce(0, +)
    meanDifference = sum / Double(count)
    interval = BootstrapInterval(of: differences, using: &generator)
    pValue = Self.pValue(differences.filter { $0 != 0 }, using: &generator)
  }

  private static func pValue(_ differences: [Double], using generator: inout RandomGenerator) -> Double {
    // Sums that differ by rounding only are equal.
    let edge = abs(differences.reduce(0, +)) - 1e-9 * differences.reduce(0) { $0 + abs($1) }
    guard differences.count > mostExact else {
      let choices = 1 << differences.count
      let extreme = (0..<choices).count { choice in
        abs(differences.enumerated().reduce(0) { $0 + (choice >> $1.offset & 1 == 0 ? $1.element : -$1.element) })
          >= edge
      }
      return Double(extreme) / Double(choices)
    }
    let sums = Resampling(using: &generator).signedSums(of: differences, count: randomChoices)
    return Double(1 + sums.count { abs($0) >= edge }) / Double(1 + randomChoices)
  }
}
