import Foundation
import Pages

extension ReportTable {
  /// This result, with intervals, below the published rows.
  package static func overview(_ result: EvaluationResult) -> ReportTable {
    let names = result.columns.map(\.name)
    let published = PublishedResults.having(result.columns).map { row in
      [row.system] + names.map { name in row.scores[name].map { Self.number($0) } ?? "-" }
    }
    let own = result.summaries.map { summary in Self.cell(summary.mean, summary.lower, summary.upper) }
    let errors = result.summaries.map { summary in summary.standardError.map { Self.number($0) } ?? "-" }
    let counts = result.summaries.map { "\($0.count) of \(result.samples.count)" }
    return ReportTable(
      header: ["system"] + result.columns.map(\.title),
      rows: published + [[result.system] + own, ["standard error"] + errors, ["samples scored"] + counts])
  }

  /// Means by category; nil where the benchmark names none.
  package static func categories(_ result: EvaluationResult) -> ReportTable? {
    parts(result, "category", \.categories)
  }

  /// Means by condition; nil where the benchmark names none.
  package static func conditions(_ result: EvaluationResult) -> ReportTable? {
    parts(result, "condition", \.conditions)
  }

  private static func parts(
    _ result: EvaluationResult, _ kind: String, _ parts: (MetricSummary) -> [MetricSummary.Part]
  ) -> ReportTable? {
    let names = Set(result.summaries.flatMap { parts($0).map(\.name) }).sorted()
    guard !names.isEmpty else { return nil }
    let rows = names.map { name in
      [name]
        + result.summaries.map { summary in
          guard let part = parts(summary).first(where: { $0.name == name }) else { return "-" }
          let error = part.standardError.map { " ± \(number($0))" } ?? ""
          return number(part.mean) + error + " (\(part.count))"
        }
    }
    return ReportTable(header: [kind] + result.columns.map(\.title), rows: rows)
  }

  /// Scores of every sample.
  package static func samples(_ result: EvaluationResult) -> ReportTable {
    let rows = result.samples.map { sample in
      ["\(sample.row)", sample.condition ?? "", sample.category ?? "", sample.video ?? ""]
        + result.columns.map { score(of: sample, $0) ?? "" }
    }
    return ReportTable(
      header: ["row", "condition", "category", "video"] + result.columns.map(\.title), rows: rows, textColumns: 4)
  }

  /// A sample's score, in words where it is right or wrong; nil if there is none.
  static func score(of sample: EvaluationResult.Sample, _ column: EvaluationResult.Column) -> String? {
    guard let score = sample.scores[column.name] else { return nil }
    guard column.kind?.isRightOrWrong == true else { return number(score) }
    return score > 0 ? "right" : "wrong" + (sample.notes[column.name].map { ", \($0)" } ?? "")
  }

  /// With two decimals; what rounds to nothing has no sign.
  static func number(_ value: Double) -> String {
    let text = String(format: "%.2f", value)
    return text == "-0.00" ? "0.00" : text
  }

  static func cell(_ mean: Double?, _ lower: Double?, _ upper: Double?) -> String {
    guard let mean else { return "-" }
    guard let lower, let upper else { return number(mean) }
    return "\(number(mean)) [\(number(lower)), \(number(upper))]"
  }
}

extension EvaluationResult {
  /// Which way scores are better; nil without any.
  var directionSentence: String? {
    guard !columns.isEmpty else { return nil }
    let low = columns.filter { $0.kind?.prefersLow == true }.map { $0.title.lowercased() }
    guard low.count < columns.count else { return "Lower is better." }
    return "Higher is better" + (low.isEmpty ? "." : ", except for \(low.joined(separator: " and ")).")
  }
}

extension EvaluationResult.JudgeUsage {
  /// For the remarks of a report.
  package var sentence: String {
    "judge \(judge): \(answers) answers, \(failedAnswers) of them without a score; \(inputTokens) tokens read, "
      + "\(outputTokens) written" + (dollars.map { ", US$ \(ReportTable.number($0))" } ?? "")
  }
}

extension EvaluationResult.SpeedAgreement {
  /// For the remarks of a report.
  package var sentence: String {
    "shown and generated speeds: correlation "
      + (correlation.map { ReportTable.cell($0, lower, upper) } ?? "not defined") + " over \(count) samples"
  }
}

/// Writes a result as comma-separated values: one line for each sample, RFC 4180.
package enum CSVReport {
  /// Values with all their digits, empty where there is none.
  package static func text(_ result: EvaluationResult) -> String {
    let header = ["row", "condition", "category", "video", "caption"] + result.columns.map(\.name) + ["notes"]
    let lines = result.samples.map { sample in
      let notes = sample.notes.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
      return ["\(sample.row)", sample.condition ?? "", sample.category ?? "", sample.video ?? "", sample.caption]
        + result.columns.map { column in sample.scores[column.name].map { "\($0)" } ?? "" }
        + [notes.joined(separator: "; ")]
    }
    return ([header] + lines).map { $0.map(quoted).joined(separator: ",") + "\r\n" }.joined()
  }

  private static func quoted(_ cell: String) -> String {
    guard cell.unicodeScalars.contains(where: { "\",\r\n".unicodeScalars.contains($0) }) else { return cell }
    return "\"\(cell.replacingOccurrences(of: "\"", with: "\"\""))\""
  }
}

/// Writes a result as Markdown.
package enum MarkdownReport {
  package static func text(_ result: EvaluationResult) -> String {
    var parts = ["# \(result.system) on \(result.benchmark)"]
    let missing = result.missingSamples
    parts.append(
      "\(result.samples.count) samples, \(missing.count) missing"
        + (missing.isEmpty ? "." : ": rows \(missing.map { "\($0.row)" }.joined(separator: ", ")).")
        + " Brackets are 95 % bootstrap intervals of the mean."
        + (result.directionSentence.map { " \($0)" } ?? "")
        + (PublishedResults.having(result.columns).isEmpty
          ? "" : " Other rows are the paper's, on its own benchmark."))
    parts.append(ReportTable.overview(result).markdown)
    if let categories = ReportTable.categories(result) {
      parts += ["## By category", categories.markdown]
    }
    if let conditions = ReportTable.conditions(result) {
      parts += ["## By condition", conditions.markdown]
    }
    if !result.skipped.isEmpty {
      parts += ["## Not run", result.skipped.map { "- \($0.metric): \($0.reason)" }.joined(separator: "\n")]
    }
    if !result.judges.isEmpty {
      parts += ["## Judges", result.judges.map { "- \($0.sentence)" }.joined(separator: "\n")]
    }
    if let speeds = result.speeds { parts += ["## Speeds", "- \(speeds.sentence)"] }
    if !result.agreements.isEmpty {
      let lines = result.agreements.map { agreement in
        let value = agreement.rankCorrelation.map { ReportTable.number($0) } ?? "not defined"
        return "- \(agreement.first) and \(agreement.second): \(value) over \(agreement.count) samples"
      }
      parts += ["## Agreement of judges (Spearman)", lines.joined(separator: "\n")]
    }
    let notes = result.samples.flatMap { sample in
      sample.notes.sorted { $0.key < $1.key }.map { "- row \(sample.row), \($0.key): \($0.value)" }
    }
    if !notes.isEmpty { parts += ["## Notes", notes.joined(separator: "\n")] }
    return parts.joined(separator: "\n\n") + "\n"
  }
}
