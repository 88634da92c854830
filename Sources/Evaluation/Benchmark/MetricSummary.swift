import Compute

/// A column over all samples: the plain mean, as the published table has it, and what it leaves open.
package struct MetricSummary: Codable, Sendable, Equatable {
  /// Of a part of the samples.
  package struct Part: Codable, Sendable, Equatable {
    /// Of the category or condition.
    package let name: String
    package let count: Int
    package let mean: Double
    /// Of the mean; nil for one sample.
    package let standardError: Double?
    package let lower: Double?
    package let upper: Double?
  }

  package let name: String
  /// Samples with a value.
  package let count: Int
  /// Rows without a value.
  package let missing: [Int]
  /// Nil if no sample has a value.
  package let mean: Double?
  /// Of the mean: the samples' deviation over the root of their number. Nil for fewer than two samples.
  package let standardError: Double?
  /// Ends of the 95 % bootstrap interval; nil for fewer than two samples.
  package let lower: Double?
  package let upper: Double?
  /// By category, sorted; empty where the table does not say any.
  package let categories: [Part]
  /// By condition, likewise.
  package let conditions: [Part]

  /// Of every interval, so that a rerun gives the same ends.
  private static let seed: UInt64 = 42

  init(_ name: String, of samples: [EvaluationResult.Sample]) {
    self.name = name
    let values = samples.compactMap { $0.scores[name] }
    count = values.count
    missing = samples.filter { $0.scores[name] == nil }.map(\.row)
    mean = values.isEmpty ? nil : Self.mean(values)
    standardError = Self.standardError(values)
    let interval = Self.interval(values)
    (lower, upper) = (interval?.lower, interval?.upper)
    categories = Self.parts(name, samples, \.category)
    conditions = Self.parts(name, samples, \.condition)
  }

  private static func parts(
    _ name: String, _ samples: [EvaluationResult.Sample], _ group: (EvaluationResult.Sample) -> String?
  ) -> [Part] {
    let groups = Dictionary(grouping: samples.filter { $0.scores[name] != nil }) { group($0) ?? "" }
    return groups.filter { !$0.key.isEmpty }.sorted { $0.key < $1.key }.map { part, samples in
      let values = samples.compactMap { $0.scores[name] }
      let interval = Self.interval(values)
      return Part(
        name: part, count: values.count, mean: Self.mean(values), standardError: Self.standardError(values),
        lower: interval?.lower, upper: interval?.upper)
    }
  }

  private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

  private static func standardError(_ values: [Double]) -> Double? {
    guard values.count > 1 else { return nil }
    let mean = mean(values)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(values.count - 1) / Double(values.count)).squareRoot()
  }

  private static func interval(_ values: [Double]) -> BootstrapInterval? {
    var generator = RandomGenerator(seed: seed)
    return BootstrapInterval(of: values, using: &generator)
  }
}
