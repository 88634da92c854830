import Datasets
import Foundation
import Media
import Runtime
import TestSupport
import Testing

@testable import Evaluation

@Suite("Alignment with the miniature world's truth")
struct MiniatureAlignmentTests {
  private static let subjects = MiniatureSubject.all.filter(\.isHeldOut)

  private static var format: MiniatureClip.Format {
    var format = MiniatureClip.Format()
    format.size = 32
    format.frames = 9
    return format
  }

  private static func truth(
    _ condition: MiniatureCondition, shown: MiniatureCondition? = nil, speed: Float = 1.08
  ) -> SampleTruth {
    let timing = MiniatureTiming(speed: speed, onset: 0.1)
    return SampleTruth(
      target: MiniatureClip(seed: 5, subject: subjects[3], condition: condition, timing: timing),
      reference: MiniatureClip(seed: 6, subject: subjects[9], condition: shown ?? condition, timing: timing))
  }

  @Test(
    "the right clip of each condition is taken for itself, at its own speed", arguments: MiniatureCondition.allCases)
  func right(condition: MiniatureCondition) {
    let truth = Self.truth(condition)
    let alignment = MiniatureAlignment(truth.target.render(Self.format), truth, Self.format)
    #expect(alignment.nearestByPixels == condition && alignment.nearestByChange == condition)
    #expect(alignment.conditions.count == (condition.isTrained ? 24 : 28))
    #expect(alignment.conditions[alignment.expected] == condition && alignment.errors[alignment.expected] == 0)
    #expect(abs(alignment.cosines[alignment.expected] - 1) < 1e-12)
    #expect(abs(alignment.generatedSpeed - alignment.shownSpeed) < 1e-6)
  }

  @Test("a clip of another condition is taken for that one; one of another speed is measured as such")
  func wrong() {
    let truth = Self.truth(.zoomIn)
    let other = truth.clip(.flood, speed: 1.08).render(Self.format)
    let alignment = MiniatureAlignment(other, truth, Self.format)
    #expect(alignment.nearestByPixels == .flood && alignment.nearestByChange == .flood)
    let slow = truth.clip(.zoomIn, speed: 0.72).render(Self.format)
    #expect(abs(MiniatureAlignment(slow, truth, Self.format).generatedSpeed - 0.72) < 1e-6)
  }

  @Test("with another reference the clip that follows it is the right one")
  func otherReference() {
    let truth = Self.truth(.zoomIn, shown: .gold)
    let alignment = MiniatureAlignment(truth.clip(.gold, speed: 1.08).render(Self.format), truth, Self.format)
    #expect(alignment.conditions[alignment.expected] == .gold && alignment.nearestByPixels == .gold)
  }

  @Test("a still clip changes like none, and larger, longer and wider clips are recognised")
  func shapes() {
    let truth = Self.truth(.night)
    let clip = truth.target.render(Self.format)
    let still = clip.selecting([Int](repeating: 0, count: 9))
    #expect(MiniatureAlignment(still, truth, Self.format).nearestByChange == nil)
    let other = clip.selecting([0, 2, 4, 6, 8]).resized(to: FrameSize(width: 48, height: 40))
    let alignment = MiniatureAlignment(other, truth, Self.format)
    #expect(alignment.nearestByPixels == .night && alignment.nearestByChange == .night)
  }

  @Test("errors and cosines are those of the numbers")
  func comparison() {
    let size = FrameSize(width: 1, height: 1)
    let first = VideoClip(size: size, frameRate: .training, pixels: [0, 10, 20, 3, 10, 16])
    let second = VideoClip(size: size, frameRate: .training, pixels: [0, 10, 20, 0, 15, 20])
    let comparison = Comparison(first, second)
    #expect(abs(comparison.error - (9 + 25 + 16) / 6.0 / 65_025) < 1e-15)
    // Changes (3, 0, -4) and (0, 5, 0).
    #expect(comparison.cosine == 0)
    #expect(Comparison(first, first) == Comparison(error: 0, cosine: 1))
  }
}

@Suite("Metrics from the truth")
struct TruthMetricTests {
  private let directory: TemporaryDirectory
  private var sample: BenchmarkSample
  private let format: MiniatureClip.Format

  init() throws {
    directory = try TemporaryDirectory()
    var format = MiniatureClip.Format()
    (format.size, format.frames) = (32, 9)
    self.format = format
    let timing = MiniatureTiming(speed: 0.8, onset: 0.2)
    let clips = [1, 2].map { seed in
      MiniatureClip(
        seed: seed, subject: MiniatureSubject.all[Int(seed)], condition: .thermal, timing: timing)
    }
    let target = directory.file("target.mp4")
    try VideoWriter.write(clips[0].render(format), to: target)
    sample = BenchmarkSample(
      row: 0, targetPath: target, targetCaption: "a", referencePath: target, referenceCaption: "b",
      condition: "thermal", category: "style", truth: SampleTruth(target: clips[0], reference: clips[1]))
  }

  private func score(_ clip: VideoClip, row: Int = 0) throws -> EvaluationResult {
    try Folder.make(directory.file("videos"))
    var writing = VideoWriter.Options()
    writing.overwrites = true
    try VideoWriter.write(clip, to: directory.file("videos/\(row).mp4"), options: writing)
    let suite = try MetricSuite(MetricKind.exact, weights: nil, hasTruth: true)
    let scoring = try BenchmarkScoring(
      suite, clips: ClipSource(directory: directory.file("videos")), scores: directory.file("scores"))
    var result = EvaluationResult(system: "s", benchmark: "b", benchmarkDigest: "d")
    result.columns = scoring.columns
    result.samples = [try scoring.score(sample, observer: { _ in })]
    result.summarize()
    return result
  }

  @Test("a right clip matches; a wrong one does not, with a note; kept scores give the same")
  func scores() throws {
    let truth = try #require(sample.truth)
    let right = try score(truth.target.render(format)).samples[0]
    #expect(right.scores["match-pixels"] == 100 && right.scores["match-change"] == 100)
    #expect(right.notes["match-pixels"] == nil)
    #expect(abs((right.scores["speed-error"] ?? 9) - 0) < 0.05 && (right.scores["psnr"] ?? 0) > 25)
    #expect(abs((right.speeds?.shown ?? 0) - 0.8) < 1e-6)
    let wrong = try score(truth.clip(.invert, speed: 0.8).render(format))
    #expect(wrong.samples[0].scores["match-pixels"] == 0)
    #expect(wrong.samples[0].notes["match-pixels"] == "taken for invert")
    #expect(try score(truth.clip(.invert, speed: 0.8).render(format)) == wrong)
  }

  @Test("without a truth the metrics are skipped by name, and a sample without one is noted")
  func absent() throws {
    let skipped = try MetricSuite(MetricKind.exact, weights: nil).skipped
    #expect(skipped.map(\.metric) == ["match-pixels", "match-change", "speed-error"])
    #expect(skipped.allSatisfy { $0.reason.contains("truth.csv") })
    var copy = self
    let clip = try #require(sample.truth).target.render(format)
    copy.sample.truth = nil
    let scored = try copy.score(clip).samples[0]
    #expect(scored.scores["match-pixels"] == nil && scored.notes["match-pixels"]?.contains("truth.csv") == true)
    #expect(scored.scores["psnr"] != nil)
  }

  @Test("a target that is not what the truth says is noted, not scored")
  func otherTruth() throws {
    let truth = try #require(sample.truth)
    var copy = self
    copy.sample.truth = SampleTruth(
      target: MiniatureClip(
        seed: 77, subject: MiniatureSubject.all[50], condition: .thermal, timing: truth.target.timing),
      reference: truth.reference)
    let scored = try copy.score(truth.target.render(format)).samples[0]
    #expect(scored.scores["match-change"] == nil)
    #expect(scored.notes["match-change"]?.contains("not what truth.csv says") == true)
  }

  @Test("speeds that follow the shown ones correlate, and the report says so")
  func correlation() throws {
    var result = try score(try #require(sample.truth).target.render(format))
    result.samples = (0..<6).map { row in
      var sample = result.samples[0]
      sample.speeds = .init(shown: 0.6 + 0.1 * Double(row), generated: 0.7 + 0.1 * Double(row == 5 ? 4 : row))
      return sample
    }
    result.summarize()
    let speeds = try #require(result.speeds)
    // 0.15 / (0.175 x 0.13333)^0.5
    #expect(abs((speeds.correlation ?? 0) - 0.981981) < 1e-5 && speeds.count == 6)
    // tanh(2.3502 ± 1.1316)
    #expect(abs((speeds.lower ?? 0) - 0.8392) < 1e-3 && abs((speeds.upper ?? 0) - 0.9981) < 1e-3)
    #expect(MarkdownReport.text(result).contains("shown and generated speeds: correlation 0.98 [0.84, 1.00]"))
    let summary = try #require(result.summaries.first { $0.name == "match-pixels" })
    #expect(summary.standardError == 0)
  }

  @Test("the standard error is the deviation over the root of the number")
  func standardError() throws {
    var result = EvaluationResult(system: "s", benchmark: "b", benchmarkDigest: "d")
    result.columns = [.init(name: "a", title: "A")]
    result.samples = [0, 100, 100, 100].map { value in
      var sample = EvaluationResult.Sample(sample)
      sample.scores["a"] = value
      return sample
    }
    result.summarize()
    #expect(result.summaries[0].standardError == 25)
    #expect(result.summaries[0].categories[0].standardError == 25)
  }
}
