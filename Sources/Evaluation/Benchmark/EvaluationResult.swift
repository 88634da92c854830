import Checkpoints
import Foundation
import Runtime

/// What an evaluation found: the contents of `results.json`. Nothing in it depends on time or machine, so the
/// same clips and weights give the same bytes.
package struct EvaluationResult: Codable, Sendable, Equatable {
  /// A value of every sample: a metric, or a judge.
  package struct Column: Codable, Sendable, Equatable {
    package let name: String
    package let title: String
    /// The network or judge behind it.
    package let model: String?
    /// Digests of the weights by file name.
    package let weights: [String: String]

    package init(name: String, title: String, model: String? = nil, weights: [String: String] = [:]) {
      self.name = name
      self.title = title
      self.model = model
      self.weights = weights
    }

    /// Nil for a judge.
    var kind: MetricKind? { MetricKind(rawValue: name) }
  }

  package struct Sample: Codable, Sendable, Equatable {
    package let row: Int
    package let condition: String?
    package let category: String?
    package let caption: String
    /// Name of the clip's file; nil if there is no clip.
    package var video: String?
    /// By the names of columns; a value that could not be had is absent, never 0.
    package var scores: [String: Double] = [:]
    /// What is wrong or worth knowing, by the names of columns; `clip` for the clip itself.
    package var notes: [String: String] = [:]
    /// Nil where speeds are not measured.
    package var speeds: Speeds?

    package init(_ sample: BenchmarkSample) {
      row = sample.row
      condition = sample.condition
      category = sample.category
      caption = sample.targetCaption
    }
  }

  /// How fast a condition unfolds, in the units of the miniature world.
  package struct Speeds: Codable, Sendable, Equatable {
    /// In the reference.
    package let shown: Double
    package let generated: Double
  }

  package private(set) var format = Self.currentFormat
  /// What is evaluated, as tables call it.
  package let system: String
  package let benchmark: String
  package let benchmarkDigest: String
  package var columns: [Column] = []
  package var skipped: [MetricSuite.Skipped] = []
  package var samples: [Sample] = []
  package var judges: [JudgeUsage] = []
  /// Agreement of judges on the order of samples.
  package var agreements: [Agreement] = []
  package var summaries: [MetricSummary] = []
  /// How far clips are as fast as their references; nil where speeds are not measured.
  package var speeds: SpeedAgreement?

  /// What a judge's answers took, whenever they were given.
  package struct JudgeUsage: Codable, Sendable, Equatable {
    package let judge: String
    package let answers: Int
    /// Answers without a score.
    package let failedAnswers: Int
    package let inputTokens: Int
    package let outputTokens: Int
    /// Nil if the prices are not known.
    package let dollars: Double?

    package init(
      judge: String, answers: Int, failedAnswers: Int, inputTokens: Int, outputTokens: Int, dollars: Double?
    ) {
      self.judge = judge
      self.answers = answers
      self.failedAnswers = failedAnswers
      self.inputTokens = inputTokens
      self.outputTokens = outputTokens
      self.dollars = dollars
    }
  }

  package struct Agreement: Codable, Sendable, Equatable {
    package let first: String
    package let second: String
    /// Spearman's coefficient; nil if it is not defined.
    package let rankCorrelation: Double?
    package let count: Int
  }

  package struct SpeedAgreement: Codable, Sendable, Equatable {
    /// Pearson's coefficient of shown and generated speeds; nil if it is not defined.
    package let correlation: Double?
    /// Ends of its 95 % interval; nil for fewer than four samples.
    package let lower: Double?
    package let upper: Double?
    package let count: Int

    init(_ speeds: [Speeds]) {
      correlation = Correlation.pearson(speeds.map(\.shown), speeds.map(\.generated))
      count = speeds.count
      let interval = correlation.flatMap { Correlation.interval(of: $0, count: speeds.count) }
      (lower, upper) = (interval?.lowerBound, interval?.upperBound)
    }
  }

  private static let currentFormat = 1

  package init(system: String, benchmark: String, benchmarkDigest: String) {
    self.system = system
    self.benchmark = benchmark
    self.benchmarkDigest = benchmarkDigest
  }

  /// Reads a `results.json`, given itself or by its directory.
  package init(path: String) throws {
    var isDirectory: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
    let file = try ConfigFile(
      path: exists && isDirectory.boolValue ? "\(path)/\(Self.fileName)" : path, maximumByteCount: 64 << 20)
    self = try file.decode(EvaluationResult.self)
    guard format == Self.currentFormat else {
      throw ConfigError(
        path: file.path, problem: .invalid(field: "format", why: "is \(format); this program reads 1"))
    }
    // Averages would count some twice, and tables could not tell them apart.
    for (field, isSound, why) in [
      ("system", Self.isName(system), "must be a name without control characters"),
      ("columns", Set(columns.map(\.name)).count == columns.count, "has a column twice"),
      ("samples", Set(samples.map(\.row)).count == samples.count, "has a row twice"),
    ] where !isSound {
      throw ConfigError(path: file.path, problem: .invalid(field: field, why: why))
    }
  }

  /// Whether this can name a system in tables and on terminals.
  package static func isName(_ text: String) -> Bool { !text.isEmpty && printable(text, limit: .max) == text }

  package static let fileName = "results.json"

  /// Samples without a clip or without any score.
  package var missingSamples: [Sample] { samples.filter { $0.video == nil || ($0.scores.isEmpty && !columns.isEmpty) } }

  /// Recomputes means, intervals and the judges' agreement from the samples.
  package mutating func summarize() {
    summaries = columns.map { MetricSummary($0.name, of: samples) }
    let measured = samples.compactMap(\.speeds)
    speeds = measured.isEmpty ? nil : SpeedAgreement(measured)
    agreements = []
    let judges = columns.filter { $0.name.hasPrefix(JudgeColumn.prefix) }
    for (index, first) in judges.enumerated() {
      for second in judges[(index + 1)...] {
        let pairs = samples.compactMap { sample -> (Double, Double)? in
          guard let a = sample.scores[first.name], let b = sample.scores[second.name] else { return nil }
          return (a, b)
        }
        agreements.append(
          Agreement(
            first: first.name, second: second.name,
            rankCorrelation: RankCorrelation.spearman(pairs.map(\.0), pairs.map(\.1)), count: pairs.count))
      }
    }
  }
}

/// Columns that a judge fills.
package enum JudgeColumn {
  static let prefix = "alignment-"
  package static func name(_ judge: String) -> String { prefix + judge }
}
