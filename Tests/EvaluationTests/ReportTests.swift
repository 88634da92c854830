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

  /// Clips that are right or wrong, as `match-change` says; none of the paper's columns.
  private static func matches(_ notes: [String?], category: String? = "concept") -> EvaluationResult {
    var result = EvaluationResult(system: "mine", benchmark: "benchmark.csv", benchmarkDigest: "d")
    result.columns = [MetricKind.matchByChange, .speedError].map { .init(name: $0.rawValue, title: $0.title) }
    result.samples = notes.enumerated().map { row, note in
      var sample = EvaluationResult.Sample(
        BenchmarkSample(
          row: row, targetPath: "", targetCaption: "a", referencePath: "", referenceCaption: "", condition: "gold",
          category: category))
      sample.video = "\(row).mp4"
      sample.scores = ["match-change": note == nil ? 100 : 0, "speed-error": 0.1]
      sample.notes["match-change"] = note
      return sample
    }
    result.summarize()
    return result
  }

  @Test("clips read as right or as wrong, with what they were taken for; it is said which way is better")
  func rightOrWrong() {
    let result = Self.matches([nil, "taken for ice", "two conditions are equally near"])
    let page = HTMLReport(result, strips: [:]).text
    for text in ["right", "wrong, taken for ice", "wrong, two conditions are equally near"] {
      #expect(page.contains("<dt>Match by change</dt><dd>\(text)</dd>"), "\(text)")
    }
    #expect(!page.contains("match-change: taken for"))
    #expect(ReportTable.samples(result).rows[1].suffix(2) == ["wrong, taken for ice", "0.10"])
    #expect(page.contains("Match by change, higher is better") && page.contains("Speed error, lower is better"))
    for text in [page, MarkdownReport.text(result)] {
      #expect(text.contains("Higher is better, except for speed error.") && !text.contains("the paper"))
    }
    #expect(page.components(separatedBy: "<h2>By category</h2>").count == 2)
    #expect(HTMLReport(Self.result("mine"), strips: [:]).text.contains("<h2>Beside the paper's systems</h2>"))
  }

  @Test("the axis of a share is the whole of it, and that of a single value is as wide as the value is large")
  func axes() throws {
    let result = Self.matches([nil, nil, nil])
    let plots = result.columns.compactMap { IntervalPlot($0, result) }
    #expect(plots.count == 2 && plots.allSatisfy { !$0.isBesidePublished })
    for tick in ["0", "50", "100"] { #expect(plots[0].svg.contains("text-anchor=\"middle\">\(tick)</text>")) }
    #expect(!plots[0].svg.contains("99.99") && !plots[0].svg.contains("100.01"))
    let published = Self.result("mine")
    #expect(try #require(IntervalPlot(published.columns[0], published)).isBesidePublished)
    // Without categories there is nothing to hold the mean against.
    let alone = Self.matches([nil, nil, nil], category: nil)
    #expect(alone.columns.allSatisfy { IntervalPlot($0, alone) == nil })
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
