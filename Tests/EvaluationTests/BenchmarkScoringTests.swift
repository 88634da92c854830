import Foundation
import Media
import Runtime
import TestSupport
import Testing

@testable import Evaluation

@Suite("Scoring of a benchmark")
struct BenchmarkScoringTests {
  private let benchmark: SampleBenchmark

  init() throws { benchmark = try SampleBenchmark() }

  private func result(
    _ kinds: [MetricKind] = [.peakSignalToNoise, .structuralSimilarity], weights: WeightDirectory? = nil
  ) throws -> EvaluationResult {
    let suite = try MetricSuite(kinds, weights: weights)
    let scoring = try BenchmarkScoring(
      suite, clips: ClipSource(directory: benchmark.videos), scores: benchmark.directory.file("scores"))
    var result = EvaluationResult(system: "test", benchmark: "benchmark.csv", benchmarkDigest: "0")
    result.columns = scoring.columns
    result.skipped = suite.skipped
    result.samples = try benchmark.samples.map { try scoring.score($0, observer: { _ in }) }
    result.summarize()
    return result
  }

  @Test("scores agree with the metrics on the clips, and means with the scores")
  func values() throws {
    let result = try result()
    let clip = SampleBenchmark.clip(seed: 1, frames: 5, shade: 8)
    let truth = SampleBenchmark.clip(seed: 1, frames: 5)
    #expect(result.samples[1].scores["psnr"] == (try FrameDifference.peakSignalToNoiseRatio(clip, truth)))
    #expect(result.missingSamples.isEmpty)
    let summary = try #require(result.summaries.first)
    let scores = result.samples.compactMap { $0.scores["psnr"] }
    #expect(summary.count == 3 && summary.mean == scores.reduce(0, +) / 3 && summary.missing.isEmpty)
    #expect(summary.categories.map(\.name) == ["style"] && summary.categories[0].count == 1)
    #expect(summary.categories[0].lower == nil)
  }

  @Test("a rerun gives the same bytes, from kept scores and without them")
  func deterministic() throws {
    let first = try JSONText.encode(result())
    #expect(try JSONText.encode(result()) == first)
    try FileManager.default.removeItem(atPath: benchmark.directory.file("scores"))
    #expect(try JSONText.encode(result()) == first)
    let path = benchmark.directory.file("results.json")
    try first.write(to: URL(fileURLWithPath: path))
    #expect(try JSONText.encode(EvaluationResult(path: path)) == first)
  }

  @Test("a kept score of another clip, or a damaged one, is computed again")
  func keptScores() throws {
    let before = try result().samples.map { $0.scores["psnr"] }
    let path = "\(benchmark.videos)/sys_bench_2.mkv"
    try FileManager.default.removeItem(atPath: path)
    try VideoWriter.write(SampleBenchmark.clip(seed: 2, frames: 5, shade: 20), to: path)
    try benchmark.directory.write("{", to: "scores/psnr-0.json")
    let after = try result().samples.map { $0.scores["psnr"] }
    #expect(after[0] == before[0] && after[1] == before[1] && after[2] != before[2])
  }

  @Test("V01: rows without a clip and clips that cannot be read are missing and named, never 0")
  func missing() throws {
    try FileManager.default.removeItem(atPath: "\(benchmark.videos)/sys_bench_0.mkv")
    try benchmark.directory.write("no video", to: "videos/sys_bench_1.mkv")
    let result = try result()
    #expect(result.missingSamples.map(\.row) == [0, 1])
    #expect(result.samples[0].notes["clip"]?.isEmpty == false && result.samples[0].scores.isEmpty)
    #expect(result.samples[1].notes.values.contains { $0.contains("sys_bench_1.mkv") })
    let summary = try #require(result.summaries.first)
    #expect(summary.count == 1 && summary.missing == [0, 1] && summary.mean == result.samples[2].scores["psnr"])
  }

  @Test("D03: a target that is missing is noted at the metric that needs it")
  func missingTarget() throws {
    try FileManager.default.removeItem(atPath: benchmark.samples[1].targetPath)
    let result = try result()
    #expect(result.samples[1].scores.isEmpty && result.samples[1].notes["psnr"]?.contains("target-1") == true)
  }

  @Test("metrics without weights are skipped by name; weights that cannot be used are an error")
  func weights() throws {
    let result = try result(MetricKind.published)
    #expect(result.skipped.map(\.metric) == MetricKind.published.map(\.rawValue))
    #expect(result.columns.isEmpty && result.skipped.allSatisfy { $0.reason.contains("--weights") })
    #expect(result.samples.allSatisfy { $0.scores.isEmpty && $0.video != nil } && result.missingSamples.isEmpty)
    let folder = try TemporaryDirectory()
    try folder.write("damaged", to: "raft-things.pth")
    let directory = try WeightDirectory(path: folder.path)
    #expect(throws: (any Error).self) { try MetricSuite([.dynamicDegree], weights: directory) }
    let skipped = try MetricSuite([.motionSmoothness], weights: directory).skipped
    #expect(skipped.first?.reason.contains("amt-s.pth") == true)
  }

  @Test("CLIP's score is read through weights and table of a directory")
  func clipScore() throws {
    let folder = try TemporaryDirectory()
    for (fixture, name) in [
      ("clip_b32_tiny.safetensors", "ViT-B-32.safetensors"), ("bpe_tiny.txt.gz", "bpe_simple_vocab_16e6.txt.gz"),
    ] {
      try FileManager.default.copyItem(
        atPath: Fixtures.path("evaluation/\(fixture)"), toPath: folder.file(name))
    }
    let result = try result([.clipScore], weights: WeightDirectory(path: folder.path))
    #expect(result.skipped.isEmpty && result.columns.first?.model == "ViT-B/32")
    #expect(result.columns.first?.weights.count == 2)
    #expect(result.samples.allSatisfy { abs($0.scores["clip-score"] ?? 1000) <= 100 })
  }
}

@Suite("Where clips lie")
struct ClipSourceTests {
  @Test(
    "the number at the end of a name is its row",
    arguments: [
      ("wan_vap_bench_7.mp4", 7), ("007.MKV", 7), ("clip12.webm", 12), ("bench.mp4", nil), ("3.txt", nil),
      (".5.mp4", nil), ("a-99999999999999999999.mp4", nil),
    ])
  func rows(name: String, row: Int?) { #expect(ClipSource.row(of: name) == row) }

  @Test("D11: two videos of a row are refused by name")
  func ambiguous() throws {
    let directory = try TemporaryDirectory()
    for name in ["a_1.mp4", "b_1.mp4", "a_2.mp4"] { try directory.write("", to: name) }
    let source = try ClipSource(directory: directory.path)
    #expect(try source.file(row: 2) == directory.file("a_2.mp4") && source.file(row: 3) == nil)
    #expect(throws: EvaluationFailure.ambiguousClip(row: 1, files: ["a_1.mp4", "b_1.mp4"])) {
      try source.file(row: 1)
    }
  }

  @Test("of three panels the right one is read; other widths are refused")
  func panels() throws {
    let directory = try TemporaryDirectory()
    let clips = (0..<3).map { SampleBenchmark.clip(seed: $0, frames: 2) }
    let joined = try #require(VideoClip.sideBySide(clips))
    let path = directory.file("1.mkv")
    try VideoWriter.write(joined, to: path)
    let source = try ClipSource(directory: directory.path, hasThreePanels: true)
    #expect(try source.read(path, observer: { _ in }) == clips[2])
    let odd = directory.file("2.mkv")
    try VideoWriter.write(SampleBenchmark.clip(seed: 1, frames: 1, width: 50), to: odd)
    #expect(throws: EvaluationFailure.self) { try source.read(odd, observer: { _ in }) }
  }
}
