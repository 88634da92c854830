import Compute
import Foundation
import Pages

/// Two evaluations of the same benchmark, sample by sample.
package struct RunComparison: Codable, Sendable {
  package struct Row: Codable, Sendable {
    package let metric: String
    package let title: String
    /// Samples that both runs have.
    package let count: Int
    /// Mean of second minus first, over these samples.
    package let meanDifference: Double
    package let lower: Double?
    package let upper: Double?
    /// Two-sided, of a permutation test.
    package let pValue: Double
  }

  package let first: String
  package let second: String
  package let rows: [Row]
  /// Metrics that only one of the runs has, or that no sample has in both.
  package let notCompared: [String]

  private static let seed: UInt64 = 42

  /// Throws `EvaluationFailure` if the benchmarks differ.
  package init(_ first: EvaluationResult, _ second: EvaluationResult) throws(EvaluationFailure) {
    guard first.benchmarkDigest == second.benchmarkDigest else {
      throw .otherBenchmarks(first: first.system, second: second.system)
    }
    self.first = first.system
    self.second = second.system
    let columns = Set(second.columns.map(\.name))
    var rows: [Row] = []
    var notCompared = second.columns.map(\.name).filter { name in !first.columns.contains { $0.name == name } }
    let samples = Dictionary(second.samples.map { ($0.row, $0) }) { first, _ in first }
    for column in first.columns {
      var generator = RandomGenerator(seed: Self.seed)
      let test = PairedTest(
        first.samples.map { $0.scores[column.name] }, first.samples.map { samples[$0.row]?.scores[column.name] },
        using: &generator)
      guard columns.contains(column.name), let test else {
        notCompared.append(column.name)
        continue
      }
      rows.append(
        Row(
          metric: column.name, title: column.title, count: test.count, meanDifference: test.meanDifference,
          lower: test.interval?.lower, upper: test.interval?.upper, pValue: test.pValue))
    }
    self.rows = rows
    self.notCompared = notCompared.sorted()
  }

  package var table: ReportTable {
    ReportTable(
      header: ["metric", "samples", "\(second) minus \(first)", "p"],
      rows: rows.map { row in
        [
          row.title, "\(row.count)", ReportTable.cell(row.meanDifference, row.lower, row.upper),
          String(format: "%.4f", row.pValue),
        ]
      })
  }

  package var markdown: String {
    var parts = [table.markdown]
    parts.append("p is the two-sided p-value of a paired permutation test; brackets are 95 % intervals.")
    if !notCompared.isEmpty { parts.append("Not compared: \(notCompared.joined(separator: ", ")).") }
    return parts.joined(separator: "\n\n") + "\n"
  }
}
