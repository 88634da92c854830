import Foundation

/// How far one number follows another over samples.
enum Correlation {
  /// Pearson's coefficient, -1 to 1; nil for fewer than two samples, or if either number is the same in all.
  static func pearson(_ first: [Double], _ second: [Double]) -> Double? {
    precondition(first.count == second.count, "\(first.count) numbers are compared with \(second.count)")
    guard first.count > 1 else { return nil }
    let meanA = first.reduce(0, +) / Double(first.count)
    let meanB = second.reduce(0, +) / Double(second.count)
    let varianceA = first.reduce(0) { $0 + ($1 - meanA) * ($1 - meanA) }
    let varianceB = second.reduce(0) { $0 + ($1 - meanB) * ($1 - meanB) }
    // What is left of equal numbers after rounding is no variance.
    let least = 1e-20 * Double(first.count)
    guard varianceA > least * (1 + meanA * meanA), varianceB > least * (1 + meanB * meanB) else { return nil }
    let covariance = zip(first, second).reduce(0) { $0 + ($1.0 - meanA) * ($1.1 - meanB) }
    return max(-1, min(1, covariance / (varianceA * varianceB).squareRoot()))
  }

  /// The 95 % interval of a coefficient by Fisher's transformation; nil for fewer than four samples.
  static func interval(of coefficient: Double, count: Int) -> ClosedRange<Double>? {
    guard count > 3 else { return nil }
    let (middle, reach) = (atanh(coefficient), 1.959963985 / Double(count - 3).squareRoot())
    return tanh(middle - reach)...tanh(middle + reach)
  }
}
