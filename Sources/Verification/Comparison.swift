import Compute
import Foundation
import Tensors

/// How far a value may lie from the recorded one: |actual - expected| <= absolute + relative |expected|.
package struct Tolerance: Sendable, Equatable, CustomStringConvertible {
  package let absolute: Double
  package let relative: Double

  package init(absolute: Double, relative: Double = 0) {
    self.absolute = absolute
    self.relative = relative
  }

  package static let exact = Tolerance(absolute: 0)
  /// A single float32 forward pass of a network.
  package static let forward = Tolerance(absolute: 5e-5, relative: 1e-4)

  package var description: String {
    if self == .exact { return "exact" }
    let parts = [absolute > 0 ? "atol \(format(absolute))" : nil, relative > 0 ? "rtol \(format(relative))" : nil]
    return parts.compactMap { $0 }.joined(separator: " ")
  }

  private func format(_ value: Double) -> String { String(format: "%.0e", value) }
}

/// Gathers the differences of a case's tensors from the recorded ones.
package struct Comparison: Sendable {
  package private(set) var maxAbsolute = 0.0
  /// The largest relative L2 error of a tensor: |actual - expected| / |expected|.
  package private(set) var maxRelative = 0.0
  package private(set) var tolerances: [Tolerance] = []
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
    note(tolerance)
    comparedValues += actual.count
    var (difference, norm, worst, worstExcess) = (0.0, 0.0, 0, -Double.infinity)
    for index in actual.indices {
      let error = abs(actual[index] - expected[index])
      // Equal infinities are equal; any NaN is a fault.
      let distance = actual[index] == expected[index] ? 0 : error.isNaN ? .infinity : error
      difference += distance * distance
      norm += expected[index] * expected[index]
      maxAbsolute = max(maxAbsolute, distance)
      let allowed = tolerance.absolute + tolerance.relative * abs(expected[index])
      let excess = distance.isFinite ? distance - allowed : .infinity
      if excess > worstExcess { (worst, worstExcess) = (index, excess) }
    }
    if difference > 0 { maxRelative = max(maxRelative, norm > 0 ? (difference / norm).squareRoot() : .infinity) }
    if worstExcess > 0 {
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

  private mutating func note(_ tolerance: Tolerance) {
    if !tolerances.contains(tolerance) { tolerances.append(tolerance) }
  }
}

/// The verdict on one case.
package struct CaseResult: Sendable {
  package enum Verdict: Sendable, Equatable {
    case passed
    case failed(String)
    case skipped(String)
  }

  package let name: String
  package let verdict: Verdict
  package let comparison: Comparison

  /// `name  max abs, relative, tolerance  pass`, in columns.
  package var line: String {
    let label = name.padding(toLength: max(28, name.count), withPad: " ", startingAt: 0)
    switch verdict {
    case .skipped(let why): return "\(label) skipped (\(why))"
    case .passed: return "\(label) \(figures) pass"
    case .failed(let why): return "\(label) \(figures) FAIL: \(why)"
    }
  }

  private var figures: String {
    let tolerance = comparison.tolerances.map(\.description).joined(separator: "; ")
    return String(
      format: "max abs %.2e  rel %.2e  (%@) ", comparison.maxAbsolute, comparison.maxRelative, tolerance)
  }
}
