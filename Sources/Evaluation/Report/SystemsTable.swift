import Datasets
import Foundation
import Pages

/// Several evaluations of one benchmark beside each other: means, differences to the first, and what was published of the
/// same systems.
package struct SystemsTable: Codable, Sendable {
  package struct Row: Codable, Sendable {
    package let system: String
    package let summaries: [MetricSummary]
    package let speeds: EvaluationResult.SpeedAgreement?
    /// Against the first system, sample by sample; empty for itself.
    package let differences: [RunComparison.Row]
    /// By the published table's columns.
    package let published: [String: Double]
  }

  /// Whether the published order of the first system and another is found again.
  package struct Trend: Codable, Sendable, Equatable {
    package enum Verdict: String, Codable, Sendable, CaseIterable {
      /// The interval of the difference lies on the published side of 0.
      case reappears
      /// It lies on the other side.
      case reversed
      /// It holds 0.
      case open
    }

    package let system: String
    /// The system's minus the first one's.
    package let published: Double
    package let found: Double
    package let verdict: Verdict
  }

  package let benchmark: String
  package let samples: Int
  package let columns: [EvaluationResult.Column]
  package let publishedColumns: [String]
  package let rows: [Row]
  /// The metric whose order is held against the published one, and the column of that.
  package let trendMetric: String
  package let trendColumn: String
  package let trends: [Trend]

  /// Throws `EvaluationFailure` if the benchmarks differ.
  ///
  /// - Parameter results: at least one.
  package init(
    _ results: [EvaluationResult], published: PublishedScores?, trendMetric: String, trendColumn: String
  ) throws(EvaluationFailure) {
    precondition(!results.isEmpty, "a table of no results")
    let first = results[0]
    var rows: [Row] = []
    for (index, result) in results.enumerated() {
      rows.append(
        Row(
          system: result.system, summaries: result.summaries, speeds: result.speeds,
          differences: index == 0 ? [] : try RunComparison(first, result).rows,
          published: published?.scores[result.system] ?? [:]))
    }
    benchmark = first.benchmark
    samples = first.samples.count
    columns = first.columns
    publishedColumns = (published?.columns ?? []).filter { name in rows.contains { $0.published[name] != nil } }
    self.rows = rows
    self.trendMetric = trendMetric
    self.trendColumn = trendColumn
    trends = Self.trends(rows, trendMetric, trendColumn)
  }

  private static func trends(_ rows: [Row], _ metric: String, _ column: String) -> [Trend] {
    guard let base = rows[0].published[column] else { return [] }
    return rows.dropFirst().compactMap { row in
      guard let score = row.published[column], score != base,
        let difference = row.differences.first(where: { $0.metric == metric })
      else { return nil }
      let sign = score > base ? 1.0 : -1.0
      // Both ends on the published side, then both on the other.
      let ends = [difference.lower ?? 0, difference.upper ?? 0].map { sign * $0 }
      let verdict: Trend.Verdict =
        ends.allSatisfy { $0 > 0 } ? .reappears : ends.allSatisfy { $0 < 0 } ? .reversed : .open
      return Trend(system: row.system, published: score - base, found: difference.meanDifference, verdict: verdict)
    }
  }
}

// MARK: - As text

extension SystemsTable {
  /// Means with their intervals, and the published scores.
  package var scores: ReportTable {
    let hasSpeeds = rows.contains { $0.speeds != nil }
    return ReportTable(
      header: ["system"] + columns.map(\.title) + (hasSpeeds ? ["Correlation of speeds"] : [])
        + publishedColumns.map { "paper: \($0)" },
      rows: rows.map { row in
        [row.system]
          + columns.map { column in
            let summary = row.summaries.first { $0.name == column.name }
            return ReportTable.cell(summary?.mean, summary?.lower, summary?.upper)
          }
          + (hasSpeeds ? [ReportTable.cell(row.speeds?.correlation, row.speeds?.lower, row.speeds?.upper)] : [])
          + publishedColumns.map { name in row.published[name].map { ReportTable.number($0) } ?? "-" }
      })
  }

  /// Each system minus the first; nil for one system.
  package var differences: ReportTable? {
    guard rows.count > 1 else { return nil }
    return ReportTable(
      header: ["minus \(rows[0].system)"] + columns.map(\.title),
      rows: rows.dropFirst().map { row in
        [row.system]
          + columns.map { column in
            guard let found = row.differences.first(where: { $0.metric == column.name }) else { return "-" }
            return ReportTable.cell(found.meanDifference, found.lower, found.upper)
              + String(format: ", p %.4f", found.pValue)
          }
      })
  }

  /// What of the published order is found again, in words; nil where nothing is published of the systems.
  package var trendSentence: String? {
    guard !trends.isEmpty else { return nil }
    let title = columns.first { $0.name == trendMetric }?.title ?? trendMetric
    let parts = Trend.Verdict.allCases.map { verdict in
      let systems = trends.filter { $0.verdict == verdict }.map(\.system)
      let words =
        switch verdict {
        case .reappears: "found again"
        case .reversed: "reversed"
        case .open: "left open, as the interval of the difference holds 0"
        }
      return "\(systems.count) \(words)" + (systems.isEmpty ? "" : " (\(systems.joined(separator: ", ")))")
    }
    return "Of the \(trends.count) published orders of \(rows[0].system) and another system (by \(trendColumn)), here "
      + "by \(title.lowercased()): " + parts.joined(separator: "; ") + "."
  }

  package var markdown: String {
    var parts = [
      "\(samples) samples of \(benchmark). Brackets are 95 % bootstrap intervals of the mean"
        + (publishedColumns.isEmpty ? "." : "; the paper's scores are of its own models on its own benchmark."),
      scores.markdown,
    ]
    if let differences {
      parts += [
        differences.markdown,
        "Differences are of the same samples; p is the two-sided p-value of a paired permutation test.",
      ]
    }
    if let trendSentence { parts.append(trendSentence) }
    return parts.joined(separator: "\n\n") + "\n"
  }

  /// Writes the table as comma-separated values: a line for each system and metric, and for each published score.
  package func writeCSV(to path: String) throws {
    func text(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }
    let lines = rows.flatMap { row in
      row.summaries.map { summary in
        let found = row.differences.first { $0.metric == summary.name }
        return [
          row.system, summary.name, "\(summary.count)", text(summary.mean), text(summary.lower), text(summary.upper),
          text(found?.meanDifference), text(found?.lower), text(found?.upper), text(found?.pValue),
        ]
      }
        + publishedColumns.compactMap { name in
          row.published[name].map { [row.system, "paper: \(name)", "", text($0), "", "", "", "", "", ""] }
        }
    }
    try CSVWriter.write(
      header: [
        "system", "metric", "samples", "mean", "lower", "upper", "difference", "difference_lower", "difference_upper",
        "p",
      ], rows: lines, to: path)
  }
}
