import Datasets
import Encoders
import Foundation
import Media
import Runtime
import Tokenizers

/// The metrics of a run: those whose weights are there, and why the others are skipped.
package struct MetricSuite: Sendable {
  /// A metric that is ready to score.
  struct Metric: Sendable {
    let kind: MetricKind
    /// Files that the network was read from, by their digests: scores of other weights must not be taken for these.
    let weights: [String: String]
    let score: @Sendable (VideoClip, BenchmarkSample) throws -> MetricScore
  }

  package enum CLIPSize: String, CaseIterable, Sendable {
    case b32, l14

    var weights: PublishedWeights { self == .b32 ? .clipBase : .clipLarge }
    var title: String { self == .b32 ? "ViT-B/32" : "ViT-L/14" }
  }

  package struct Skipped: Sendable, Equatable, Codable {
    package let metric: String
    package let reason: String

    package init(metric: String, reason: String) {
      self.metric = metric
      self.reason = reason
    }
  }

  let metrics: [Metric]
  package let skipped: [Skipped]
  package let clipSize: CLIPSize

  package var kinds: [MetricKind] { metrics.map(\.kind) }

  /// Loads what the metrics need. Absent files make a metric skipped; files that cannot be used are an error.
  ///
  /// - Parameters:
  ///   - weights: nil if no directory of weights is known.
  ///   - hasTruth: whether it is known what samples were rendered from.
  package init(
    _ kinds: [MetricKind], weights: WeightDirectory?, clipSize: CLIPSize = .b32, hasTruth: Bool = false
  ) throws {
    var loader = MetricLoader(weights: weights, clipSize: clipSize)
    var metrics: [Metric] = []
    var skipped: [Skipped] = []
    for kind in kinds {
      let missing = loader.missing(for: kind)
      if kind.needsTruth, !hasTruth {
        skipped.append(
          Skipped(metric: kind.rawValue, reason: "needs a data folder with the truth.csv of `vap data synthesize`"))
      } else if missing.isEmpty {
        metrics.append(try loader.metric(kind))
      } else {
        let names = missing.map(\.publishedName).joined(separator: ", ")
        skipped.append(
          Skipped(
            metric: kind.rawValue,
            reason: weights == nil
              ? "needs \(names); give --weights DIR" : "\(names) not found among the weights; see `vap weights list`"))
      }
    }
    self.metrics = metrics
    self.skipped = skipped
    self.clipSize = clipSize
  }
}

/// Loads networks, each at most once.
private struct MetricLoader {
  let weights: WeightDirectory?
  let clipSize: MetricSuite.CLIPSize
  private var models: [PublishedWeights: CLIPModel] = [:]
  private var digests: [String: String] = [:]
  private let measuring = AlignmentMeasuring()

  init(weights: WeightDirectory?, clipSize: MetricSuite.CLIPSize) {
    self.weights = weights
    self.clipSize = clipSize
  }

  private func needed(by kind: MetricKind) -> [PublishedWeights] {
    switch kind {
    case .clipScore: [clipSize.weights, .clipMerges]
    case .motionSmoothness: [.amt]
    case .dynamicDegree: [.raft]
    case .aestheticQuality: [.clipLarge, .aestheticHead]
    case .peakSignalToNoise, .structuralSimilarity, .matchByPixels, .matchByChange, .speedError: []
    }
  }

  func missing(for kind: MetricKind) -> [PublishedWeights] { needed(by: kind).filter { weights?.file($0) == nil } }

  private func file(_ published: PublishedWeights) throws -> String {
    guard let weights, let file = weights.file(published) else {
      throw FileFailure(path: published.publishedName, action: "read the metric's weights", code: ENOENT)
    }
    return file
  }

  private mutating func clip(_ published: PublishedWeights) throws -> CLIPModel {
    if let model = models[published] { return model }
    let model = try CLIPModel(file: file(published))
    models[published] = model
    return model
  }

  private mutating func identities(_ kind: MetricKind) throws -> [String: String] {
    var result: [String: String] = [:]
    for published in needed(by: kind) {
      let path = try file(published)
      let digest = try digests[path] ?? ContentDigest(ofFile: path).description
      digests[path] = digest
      result[URL(fileURLWithPath: path).lastPathComponent] = digest
    }
    return result
  }

  mutating func metric(_ kind: MetricKind) throws -> MetricSuite.Metric {
    let identities = try identities(kind)
    return MetricSuite.Metric(kind: kind, weights: identities, score: try scoring(kind))
  }

  private mutating func scoring(
    _ kind: MetricKind
  ) throws -> @Sendable (VideoClip, BenchmarkSample) throws -> MetricScore {
    switch kind {
    case .clipScore:
      let merges = URL(fileURLWithPath: try file(.clipMerges)).deletingLastPathComponent().path
      let metric = try CLIPScore(clip(clipSize.weights), CLIPTokenizer(directory: merges))
      return { clip, sample in
        let score = try metric.score(clip, text: sample.targetCaption)
        return MetricScore(
          value: score.value, parts: score.cosines,
          note: score.droppedTokens > 0
            ? "the last \(score.droppedTokens) tokens of the caption do not fit CLIP" : nil)
      }
    case .motionSmoothness:
      let metric = MotionSmoothness(try AMT(file: file(.amt)))
      return { clip, _ in
        let score = try metric.score(clip)
        return MetricScore(value: 100 * score.value, parts: score.errors)
      }
    case .dynamicDegree:
      let metric = DynamicDegree(try RAFT(file: file(.raft)))
      return { clip, _ in
        let score = try metric.score(clip)
        return MetricScore(value: score.isDynamic ? 100 : 0, parts: score.pairScores.map(Double.init))
      }
    case .aestheticQuality:
      let metric = try AestheticQuality(clip(.clipLarge), head: file(.aestheticHead))
      return { clip, _ in
        let score = try metric.score(clip)
        return MetricScore(value: 100 * score.value, parts: score.marks)
      }
    case .peakSignalToNoise:
      return { clip, sample in
        let value = try FrameDifference.peakSignalToNoiseRatio(clip, sample.target(like: clip))
        // Equal clips have no noise; a finite value keeps means and files readable.
        let bounded = min(value, 100)
        return MetricScore(value: bounded, parts: [], note: value > 100 ? "counts as 100 dB" : nil)
      }
    case .structuralSimilarity:
      return { clip, sample in
        let value = try FrameDifference.structuralSimilarity(clip, sample.target(like: clip))
        return MetricScore(value: value, parts: [])
      }
    case .matchByPixels:
      return { [measuring] clip, sample in
        let alignment = try measuring.alignment(of: clip, sample)
        return .match(alignment, nearest: alignment.nearestByPixels, parts: alignment.errors)
      }
    case .matchByChange:
      return { [measuring] clip, sample in
        let alignment = try measuring.alignment(of: clip, sample)
        return .match(alignment, nearest: alignment.nearestByChange, parts: alignment.cosines)
      }
    case .speedError:
      return { [measuring] clip, sample in
        let alignment = try measuring.alignment(of: clip, sample)
        let (shown, generated) = (alignment.shownSpeed, alignment.generatedSpeed)
        return MetricScore(value: abs(generated - shown), parts: [shown, generated])
      }
    }
  }
}

extension MetricScore {
  /// 100 for a clip that is taken for what it is to show, else 0 and a note of what it is taken for.
  fileprivate static func match(
    _ alignment: MiniatureAlignment, nearest: MiniatureCondition?, parts: [Double]
  ) -> MetricScore {
    let isRight = nearest == alignment.conditions[alignment.expected]
    return MetricScore(
      value: isRight ? 100 : 0, parts: parts,
      note: isRight ? nil : nearest.map { "taken for \($0.rawValue)" } ?? "two conditions are equally near")
  }
}

extension BenchmarkSample {
  /// The target video at the size and number of frames of a clip, chosen and resized as references are.
  func target(like clip: VideoClip) throws -> VideoClip {
    let reader = try VideoReader(path: targetPath, options: .measuring)
    let indices = FrameSelection.evenIndices(selecting: clip.frameCount, of: try reader.frameCount())
    return try reader.readFrames(at: indices, resizedTo: clip.size)
  }
}
