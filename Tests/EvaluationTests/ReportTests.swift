import Foundation
import Pages
import TestSupport
import Testing

@testable import Evaluation

@Suite("Report")
struct ReportTests {
  private static func result(_ system: String, shift: Double = 0) -> EvaluationResult {
    var result = EvaluationResult(system: system, benchmark: "benchmark.csv", benchmarkDigest: "d")
    result.columns = [
      .init(name: "clip-score", title: "CLIP score"), .init(name: JudgeColumn.name("a"), title: "A"),
      .init(name: JudgeColumn.name("b"), title: "B"),
    ]
    result.skipped = [.init(metric: "dynamic-degree", reason: "raft-things.pth not found")]
    result.samples = (0..<8).map { row in
      let sample = BenchmarkSample(
        row: row, targetPath: "", targetCaption: "He said \"go\", & left\n<script>", referencePath: "",
        referenceCaption: "", condition: "ghibli", category: row % 2 == 0 ? "style" : "camera")
      var scored = EvaluationResult.Sample(sample)
      scored.video = "\(row).mp4"
      scored.scores = ["clip-score": 20 + Double(row) + shift, JudgeColumn.name("a"): Double(row)]
      if row != 5 { scored.scores[JudgeColumn.name("b")] = Double(row * row) }
      return scored
    }
    result.judges = [
      .init(judge: "a", answers: 9, failedAnswers: 1, inputTokens: 800, outputTokens: 20, dollars: 0.126)
    ]
    result.samples[7].video = nil
    result.samples[7].scores = [:]
    result.samples[7].notes["clip"] = "there is no video of this row"
    result.summarize()
    return result
  }

  @Test("the page is whole, escapes what it quotes, and asks for nothing from elsewhere")
  func page() throws {
    let strip = try #require(
      try {
        let benchmark = try SampleBenchmark()
        return try ClipStrip(
          of: benchmark.samples[0], clips: ClipSource(directory: benchmark.videos), scratch: benchmark.directory.path,
          observer: { _ in })
      }())
    #expect(strip.panels == ["reference", "image", "generated", "target"] && strip.data.count > 500)
    let page = HTMLReport(Self.result("mine & <yours>"), strips: [0: strip]).text
    #expect(page.hasPrefix("<!doctype html>") && page.hasSuffix("</html>\n"))
    #expect(page.contains("mine &amp; &lt;yours&gt;") && !page.contains("<yours>"))
    #expect(page.components(separatedBy: "<script>").count == 2)
    #expect(page.contains("data:video/mp4;base64,") && !page.contains("src=\"http") && !page.contains("url("))
    for part in ["Video-As-Prompt", "<svg", "By category", "dynamic-degree was not run", "1 of 8 samples are missing"] {
      #expect(page.contains(part), "\(part)")
    }
  }

  @Test("the table has the paper's rows and the interval of the mean")
  func overview() throws {
    let table = ReportTable.overview(Self.result("mine"))
    #expect(table.header == ["system", "CLIP score", "A", "B"])
    #expect(table.rows[6] == ["Video-As-Prompt", "24.13", "-", "-"])
    let own = try #require(table.rows.first { $0[0] == "mine" })
    #expect(own[1].hasPrefix("23.00 [2") && table.rows.last == ["samples scored", "7 of 8", "7 of 8", "6 of 8"])
  }

  @Test("text forms name what is missing and what was not run, and quote as their formats need")
  func texts() throws {
    let result = Self.result("mine")
    let markdown = MarkdownReport.text(result)
    #expect(markdown.contains("1 missing: rows 7") && markdown.contains("- dynamic-degree: raft-things.pth not found"))
    #expect(markdown.contains("alignment-a and alignment-b: 1.00 over 6 samples"))
    let judge = "judge a: 9 answers, 1 of them without a score; 800 tokens read, 20 written, US$ 0.13"
    #expect(markdown.contains(judge) && HTMLReport(result, strips: [:]).text.contains(judge))
    let csv = CSVReport.text(result)
    #expect(csv.hasPrefix("row,condition,category,video,caption,clip-score,alignment-a,alignment-b,notes\r\n"))
    #expect(csv.contains("\"He said \"\"go\"\", & left\n<script>\",20.0,0.0,0.0,\r\n"))
  }

  @Test("runs are compared sample by sample, on the same benchmark only")
  func comparison() throws {
    let comparison = try RunComparison(Self.result("one"), Self.result("two", shift: 2))
    let row = try #require(comparison.rows.first)
    #expect(row.count == 7 && abs(row.meanDifference - 2) < 1e-12 && row.pValue == 2 / 128.0)
    #expect(comparison.rows[1].pValue == 1 && comparison.markdown.contains("two minus one"))
    var other = EvaluationResult(system: "x", benchmark: "b", benchmarkDigest: "other")
    other.summarize()
    #expect(throws: EvaluationFailure.otherBenchmarks(first: "one", second: "x")) {
      try RunComparison(Self.result("one"), other)
    }
  }
}
