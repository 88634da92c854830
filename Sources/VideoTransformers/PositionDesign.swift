/// Where reference videos stand on the rotary axes relative to the target (paper section 3.4 and its ablations).
package enum PositionDesign: String, Sendable, CaseIterable {
  /// The references end one latent frame before the target begins; spatial positions unchanged. The published design.
  case temporalBias = "temporal-bias"
  /// References on the target's own positions.
  case identical
  /// The temporal bias, and the references also stand one frame width to the side.
  case temporalAndWidthShift = "temporal-width-shift"
  /// The reference k starts at temporal position 50 + 30 k ("discrete_long_reference" of the published code).
  case discrete
}

extension PositionDesign {
  /// Temporal positions of `count` references of `frames` latent frames each, first reference first.
  ///
  /// Several references follow each other; the last one is next to the target, which begins at 0.
  func referenceTimes(count: Int, frames: Int) -> [Int] {
    switch self {
    case .temporalBias, .temporalAndWidthShift: Array(-count * frames..<0)
    case .identical: (0..<count).flatMap { _ in 0..<frames }
    case .discrete: (0..<count).flatMap { index in (0..<frames).map { 50 + 30 * index + $0 } }
    }
  }

  /// How far to the right the references stand, for a target of `columns` tokens in a row.
  func columnShift(columns: Int) -> Int { self == .temporalAndWidthShift ? columns : 0 }
}
