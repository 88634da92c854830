import ArgumentParser
import Evaluation
import Foundation
import Runtime

struct EvalTableCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "table",
    abstract: "Put several evaluations of the same benchmark into one table.",
    discussion: """
      Prints means with 95 % intervals, each system's difference to the first with its interval and the p-value of a paired \
      permutation test, and beside them what a CSV file says was published: its first column, 'system', holds the names \
      that the evaluations have, the others numbers. A sentence then says which of the published orders are found again, \
      are reversed, or are left open by the intervals.

      Example: vap eval table vap cross-attention addition --published configs/ablations/published.csv --out ablations
      """)

  @Argument(help: "Folders of evaluations, or their results.json; the first is compared with all.", completion: .file())
  var results: [String]
  @Option(help: "CSV file of published scores.", completion: .file()) var published: String?
  @Option(help: "Metric whose order is held against the published one (default: \(Self.usualTrend)).")
  var trend: String?
  @Option(help: "Column of the published scores for that (default: \(Self.usualColumn)).") var publishedTrend: String?
  @Option(help: "Also write this name with .md and .csv behind it.", completion: .file()) var out: String?
  @Flag(help: "Print JSON instead of a table.") var json = false

  private static let usualTrend = MetricKind.matchByPixels.rawValue
  private static let usualColumn = "alignment"

  func run() throws {
    try UsageFailure.checkIsNotEmpty(out, "--out")
    let found = try results.map { try EvaluationResult(path: $0) }
    guard Set(found.map(\.system)).count == found.count else {
      throw UsageFailure("two of the evaluations have the same name; give each its own with `vap eval --system`")
    }
    let scores = try published.map { try PublishedScores(path: $0) }
    if let scores { try check(scores, found) }
    let table = try SystemsTable(
      found, published: scores, trendMetric: trend ?? Self.usualTrend, trendColumn: publishedTrend ?? Self.usualColumn)
    if let out {
      try AtomicFile.write(Data(table.markdown.utf8), to: "\(out).md")
      try table.writeCSV(to: "\(out).csv")
    }
    print(json ? String(decoding: try JSONText.encode(table), as: UTF8.self) : table.markdown, terminator: "")
  }

  /// Throws for names that would leave the comparison with what was published out.
  private func check(_ scores: PublishedScores, _ results: [EvaluationResult]) throws(UsageFailure) {
    func require(_ name: String?, _ option: String, _ known: [String]) throws(UsageFailure) {
      guard let name, !known.contains(name) else { return }
      let names = known.map { printable($0) }.joined(separator: ", ")
      throw UsageFailure(option, "must be one of \(names), not '\(printable(name))'")
    }
    try require(trend, "--trend", results[0].columns.map(\.name))
    try require(publishedTrend, "--published-trend", scores.columns)
    let systems = results.map(\.system)
    guard systems.contains(where: { scores.scores[$0] != nil }) else {
      throw UsageFailure(
        "--published names none of \(systems.map { printable($0) }.joined(separator: ", ")), but "
          + scores.scores.keys.sorted().map { printable($0) }.joined(separator: ", "))
    }
  }
}
