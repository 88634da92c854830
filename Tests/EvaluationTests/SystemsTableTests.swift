import Datasets
import Foundation
import TestSupport
import Testing

@testable import Evaluation

@Suite("A table of several systems")
struct SystemsTableTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func result(_ system: String, _ scores: [Double], digest: String = "d") -> EvaluationResult {
    var result = EvaluationResult(system: system, benchmark: "b.csv", benchmarkDigest: digest)
    result.columns = [.init(name: "match-pixels", title: "Match by pixels")]
    result.samples = scores.enumerated().map { row, score in
      var sample = EvaluationResult.Sample(
        BenchmarkSample(
          row: row, targetPath: "t", targetCaption: "a", referencePath: "r", referenceCaption: "b",
          condition: row < 10 ? "gold" : "night"))
      sample.scores["match-pixels"] = score
      return sample
    }
    result.summarize()
    return result
  }

  private func published(_ text: String) throws -> PublishedScores {
    try PublishedScores(path: directory.write(text, to: "published.csv"))
  }

  private func table(_ published: PublishedScores?) throws -> SystemsTable {
    let scores = (0..<20).map { $0 < 16 ? 100.0 : 0 }
    return try SystemsTable(
      [
        result("first", scores), result("worse", scores.map { $0 == 100 ? 20 : 0 }),
        result("better", scores.map { _ in 100 }), result("same", scores.reversed()),
      ], published: published, trendMetric: "match-pixels", trendColumn: "alignment")
  }

  @Test("means, paired differences to the first, published scores, and which orders are found again")
  func numbers() throws {
    let table = try table(published("system,alignment,other\nfirst,70,1\nworse,60,\nbetter,65,2\nsame,50,\nelse,1,1\n"))
    #expect(table.rows.map { $0.summaries[0].mean } == [80, 16, 100, 80])
    #expect(table.rows[0].differences.isEmpty)
    #expect(table.rows.dropFirst().map { $0.differences[0].meanDifference } == [-64, 20, 0])
    // All of 16 differences have one sign: 2 of 2^16 choices are as far, at random ones' resolution.
    #expect(table.rows[1].differences[0].pValue < 0.001)
    // Four samples differ, so 2 of 16 choices are as far.
    #expect(table.rows[2].differences[0].pValue == 0.125)
    #expect(table.trends.map(\.published) == [-10, -5, -20])
    #expect(table.trends[0].verdict == .reappears && table.trends[2].verdict == .open)
    #expect(table.trends[1].verdict != .reappears)
    let markdown = table.markdown
    #expect(markdown.contains("| worse | -64.00 [") && markdown.contains("| paper: alignment | paper: other |"))
    #expect(markdown.contains("Of the 3 published orders") && markdown.contains("1 found again (worse)"))
    #expect(markdown.contains("| same | 80.00 [") && markdown.contains("| 50.00 | - |"))
    let parts = table.rows[0].summaries[0].conditions
    #expect(
      parts.map(\.name) == ["gold", "night"] && parts.map(\.mean) == [100, 60] && parts.map(\.count) == [10, 10])
    try table.writeCSV(to: directory.file("t.csv"))
    let csv = try String(contentsOfFile: directory.file("t.csv"), encoding: .utf8)
    #expect(csv.contains("worse,match-pixels,20,16.0,") && csv.contains("better,paper: other,,2.0,"))
  }

  @Test("results with a row or column twice, or a name that would disturb a terminal, are refused with the field")
  func unsoundResults() throws {
    func problem(_ change: (inout EvaluationResult) -> Void, _ name: String = "a") throws -> String {
      var changed = result(name, [1, 2])
      change(&changed)
      let path = try directory.write(String(decoding: JSONText.encode(changed), as: UTF8.self), to: "results.json")
      do {
        _ = try EvaluationResult(path: path)
        return ""
      } catch { return "\(error)" }
    }
    #expect(try problem { _ in } == "")
    #expect(try problem { $0.samples.append($0.samples[0]) }.contains("samples"))
    #expect(try problem { $0.columns.append($0.columns[0]) }.contains("columns"))
    #expect(try problem({ _ in }, "two\nlines").contains("system"))
  }

  @Test("without published scores no order is spoken of; other benchmarks are refused")
  func plain() throws {
    let table = try table(nil)
    #expect(table.trends.isEmpty && table.trendSentence == nil && table.publishedColumns.isEmpty)
    #expect(!table.markdown.contains("paper"))
    #expect(throws: EvaluationFailure.self) {
      try SystemsTable(
        [result("a", [1, 2]), result("b", [1, 2], digest: "e")], published: nil, trendMetric: "", trendColumn: "")
    }
  }

  @Test(
    "tables of published scores that cannot be read are refused",
    arguments: [
      "name,a\nx,1\n", "system,a,a\nx,1,2\n", "system,a\nx,one\n", "system,a\nx,1,2\n", "system,a\nx,1\nx,2\n",
    ])
  func refusals(text: String) {
    #expect(throws: DatasetFailure.self) { try published(text) }
  }

  @Test("the paper's tables are there for every ablation, and the first is the paper's own design")
  func paper() throws {
    let file = URL(fileURLWithPath: Fixtures.path("")).appendingPathComponent("../../configs/ablations/published.csv")
    let scores = try PublishedScores(path: file.standardized.path)
    #expect(scores.scores.count == 16 && scores.columns.count == 5)
    let best = scores.scores.max { ($0.value["alignment"] ?? 0) < ($1.value["alignment"] ?? 0) }
    #expect(best?.key == "vap")
  }
}
