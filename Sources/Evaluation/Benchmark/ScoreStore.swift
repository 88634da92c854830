import Checkpoints
import Foundation
import Media
import Runtime

/// Scores that were computed already, one small file each, so that a run goes on where it stopped.
///
/// A score counts only for the same clip, weights, caption and settings; anything else is computed again.
struct ScoreStore {
  private let directory: String

  private struct Entry: Codable {
    let key: String
    let score: MetricScore
  }

  /// Makes the directory if it does not exist.
  init(directory: String) throws {
    try Folder.make(directory)
    self.directory = directory
  }

  /// What decides a score, as one digest.
  static func key(_ metric: MetricSuite.Metric, clipDigest: String, sample: BenchmarkSample, panels: Bool) throws
    -> String
  {
    var parts = [metric.kind.rawValue, clipDigest, panels ? "panels" : "whole"]
    parts += metric.weights.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    if metric.kind == .clipScore { parts.append(sample.targetCaption) }
    if metric.kind.needsTarget { parts.append(try ContentDigest(ofFile: sample.targetPath).description) }
    if metric.kind.needsTruth, let truth = sample.truth { parts.append(truth.digest) }
    return ContentDigest(ofParts: parts).description
  }

  private func path(_ kind: MetricKind, row: Int) -> String { "\(directory)/\(kind.rawValue)-\(row).json" }

  /// The stored score; nil if there is none, or one of other circumstances, or a damaged file.
  func score(_ kind: MetricKind, row: Int, key: String) -> MetricScore? {
    let entry = try? ConfigFile(path: path(kind, row: row), maximumByteCount: 16 << 20).decode(Entry.self)
    return entry?.key == key ? entry?.score : nil
  }

  func store(_ score: MetricScore, _ kind: MetricKind, row: Int, key: String) throws {
    try AtomicFile.write(try JSONText.encode(Entry(key: key, score: score)), to: path(kind, row: row))
  }
}

/// JSON whose bytes depend on the value only.
package enum JSONText {
  package static func encode(_ value: some Encodable) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(value) + Data("\n".utf8)
  }
}
