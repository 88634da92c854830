import Foundation
import Media
import Runtime

/// Scores the clips of a benchmark, sample by sample.
package struct BenchmarkScoring {
  private let suite: MetricSuite
  private let clips: ClipSource
  private let store: ScoreStore

  /// - Parameter scores: a folder that keeps each score, so that a run that was stopped goes on where it was.
  package init(_ suite: MetricSuite, clips: ClipSource, scores: String) throws {
    self.suite = suite
    self.clips = clips
    store = try ScoreStore(directory: scores)
  }

  package var columns: [EvaluationResult.Column] {
    suite.metrics.map { metric in
      EvaluationResult.Column(
        name: metric.kind.rawValue, title: metric.kind.title,
        model: metric.kind == .clipScore ? suite.clipSize.title : nil, weights: metric.weights)
    }
  }

  /// Scores of one sample. What cannot be scored is named in the notes; only an interruption and a lack of resources end
  /// the run.
  package func score(_ sample: BenchmarkSample, observer: RunObserver) throws -> EvaluationResult.Sample {
    var result = EvaluationResult.Sample(sample)
    var clip: VideoClip?
    do {
      guard let path = try clips.file(row: sample.row) else {
        result.notes["clip"] = "there is no video of this row"
        return result
      }
      let digest = try ContentDigest(ofFile: path).description
      for metric in suite.metrics {
        try Interruption.check()
        let key = try keyed(metric, digest, sample, &result)
        guard let key else { continue }
        if let score = store.score(metric.kind, row: sample.row, key: key) {
          Self.note(score, metric.kind, &result)
          continue
        }
        let frames = try clip ?? clips.read(path, observer: observer)
        clip = frames
        do {
          let score = try metric.score(frames, sample)
          guard score.value.isFinite else {
            result.notes[metric.kind.rawValue] = "the score is not a number"
            continue
          }
          try store.store(score, metric.kind, row: sample.row, key: key)
          Self.note(score, metric.kind, &result)
        } catch let failure as any Failure where Self.concernsSample(failure) {
          result.notes[metric.kind.rawValue] = failure.message
        }
      }
      // Named only once it has proved readable, or all its scores were known.
      if suite.metrics.isEmpty { _ = try clips.read(path, observer: observer) }
      result.video = URL(fileURLWithPath: path).lastPathComponent
    } catch let failure as any Failure where Self.concernsSample(failure) {
      result.notes["clip"] = failure.message
    }
    return result
  }

  /// The key of a score; nil, with a note, if a file that it depends on is not there.
  private func keyed(
    _ metric: MetricSuite.Metric, _ digest: String, _ sample: BenchmarkSample, _ result: inout EvaluationResult.Sample
  ) throws -> String? {
    do {
      return try ScoreStore.key(metric, clipDigest: digest, sample: sample, panels: clips.hasThreePanels)
    } catch let failure as FileFailure where Self.concernsSample(failure) {
      result.notes[metric.kind.rawValue] = failure.message
      return nil
    }
  }

  private static func note(_ score: MetricScore, _ kind: MetricKind, _ result: inout EvaluationResult.Sample) {
    result.scores[kind.rawValue] = score.value
    if let note = score.note { result.notes[kind.rawValue] = note }
    if kind == .speedError, score.parts.count == 2 {
      result.speeds = EvaluationResult.Speeds(shown: score.parts[0], generated: score.parts[1])
    }
  }

  /// Whether a failure lies in the sample's files, so that the others can go on.
  package static func concernsSample(_ failure: any Failure) -> Bool {
    switch failure.category {
    case .badInput, .usage: true
    case .resources, .internal, .interrupted: false
    }
  }
}
