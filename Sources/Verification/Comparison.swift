import Compute
import Foundation
import Tensors

/// How far values may lie from the recorded ones.
package struct Tolerance: Sendable, Equatable, CustomStringConvertible {
  /// For each value: |actual - expected| <= absolute + relative |expected|.
  package let absolute: Double
  package let relative: Double
  /// Instead, for a tensor as a whole, in the L2 norm: |actual - expected| <= norm |expected|.
  package let norm: Double?

  package init(absolute: Double, relative: Double = 0) {
    self.absolute = absolute
    self.relative = relative
    norm = nil
  }

  package init(norm: Double) {
    (absolute, relative) = (0, 0)
    self.norm = norm
  }

  package static let exact = Tolerance(absolute: 0)
  /// A single float32 forward pass of a network.
  package static let forward = Tolerance(absolute: 5e-5, relative: 1e-4)

  package var description: String {
    if self == .exact { return "exact" }
    let parts = [("atol", absolute), ("rtol", relative), ("norm", norm ?? 0)]
    return parts.filter { $0.1 > 0 }.map { "\($0.0) \(String(format: "%.0e", $0.1))" }.joined(separator: " ")
  }
}

/// Gathers the differences of a case's tensors from the recorded ones.
package struct Comparison: Sendable {
  /// The largest errors of the tensors that were held to one tolerance.
  package struct Figures: Sendable {
    package let tolerance: Tolerance
    package fileprivate(set) var maxAbsolute = 0.0
    /// In the L2 norm of a tensor: |actual - expected| / |expected|.
    package fileprivate(set) var maxRelative = 0.0
  }

  package private(set) var figures: [Figures] = []
  package var maxRelative: Double { figures.map(\.maxRelative).max() ?? 0 }
  package private(set) var comparedValues = 0
  /// The first tensor outside of its tolerance, with its worst element.
  package private(set) var firstFault: String?
  package private(set) var faults = 0

  package init() {}

  package var passed: Bool { faults == 0 && comparedValues > 0 }

  package mutating func compare(
    _ name: String, _ actual: Tensor, _ expected: Tensor, _ tolerance: Tolerance
  ) {
    guard actual.shape == expected.shape else {
      return fail(name, "has shape \(actual.shape), recorded \(expected.shape)", tolerance)
    }
    compare(name, actual.doubles(), expected.doubles(), tolerance)
  }

  package mutating func compare(_ name: String, _ actual: [Double], _ expected: [Double], _ tolerance: Tolerance) {
    guard actual.count == expected.count else {
      return fail(name, "has \(actual.count) values, recorded \(expected.count)", tolerance)
    }
    comparedValues += actual.count
    var maxAbsolute = 0.0
    var (difference, norm, worst, worstExcess) = (0.0, 0.0, 0, -Double.infinity)
    for index in actual.indices {
      let error = abs(actual[index] - expected[index])
      // Equal infinities are equal; any NaN is a fault.
      let distance = actual[index] == expected[index] ? 0 : error.isNaN ? .infinity : error
      difference += distance * distance
      norm += expected[index] * expected[index]
      maxAbsolute = max(maxAbsolute, distance)
      let allowed = tolerance.norm == nil ? tolerance.absolute + tolerance.relative * abs(expected[index]) : distance
      let excess = distance.isFinite ? distance - allowed : .infinity
      if excess > worstExcess { (worst, worstExcess) = (index, excess) }
    }
    let error = difference > 0 ? (norm > 0 ? (difference / norm).squareRoot() : .infinity) : 0
    note(tolerance, maxAbsolute, error)
    if let bound = tolerance.norm, !(error <= bound) {
      fail(name, "differs from the recorded values by \(error) of their norm", tolerance)
    } else if worstExcess > 0 {
      fail(name, "[\(worst)] is \(actual[worst]), recorded \(expected[worst])", tolerance)
    }
  }

  package mutating func compare(_ name: String, _ actual: [Int], _ expected: [Int]) {
    guard actual != expected else {
      note(.exact)
      comparedValues += actual.count
      return
    }
    let place = zip(actual, expected).enumerated().first { $1.0 != $1.1 }
    let what = place.map { "[\($0.offset)] is \($0.element.0), recorded \($0.element.1)" }
    fail(name, what ?? "has \(actual.count) values, recorded \(expected.count)", .exact)
  }

  package mutating func fail(_ name: String, _ what: String, _ tolerance: Tolerance? = nil) {
    if let tolerance { note(tolerance) }
    faults += 1
    if firstFault == nil { firstFault = "\(name) \(what)" }
  }

  private mutating func note(_ tolerance: Tolerance, _ absolute: Double = 0, _ relative: Double = 0) {
    let index = figures.firstIndex { $0.tolerance == tolerance } ?? figures.count
    if index == figures.count { figures.append(Figures(tolerance: tolerance)) }
    figures[index].maxAbsolute = max(figures[index].maxAbsolute, absolute)
    figures[index].maxRelative = max(figures[index].maxRelative, relative)
  }
}

/// The verdict on one case.
package struct CaseResult: Sendable {
  package enum Verdict: Sendable, Equatable {
    case passed
    case failed(String)
  }

  package let name: String
  package let verdict: Verdict
  package let comparison: Comparison

  /// `name  pass  largest absolute and relative error (tolerance), ...`
  package var line: String {
    let label = name.padding(toLength: max(26, name.count), withPad: " ", startingAt: 0)
    switch verdict {
    case .passed: return "\(label) pass  \(figures)"
    case .failed(let why): return "\(label) FAIL: \(why)  \(figures)"
    }
  }

  private var figures: String {
    comparison.figures.map { figures in
      if figures.tolerance == .exact, figures.maxAbsolute == 0 { return "exact" }
      let errors = String(format: "abs %.1e rel %.1e", figures.maxAbsolute, figures.maxRelative)
      return "\(errors) (\(figures.tolerance))"
    }.joined(separator: ", ")
  }
}
