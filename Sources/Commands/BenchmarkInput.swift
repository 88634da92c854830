import Datasets
import Evaluation
import Foundation
import Runtime

/// The rows of a benchmark table that a command is about.
struct BenchmarkInput {
  /// Of the table.
  let path: String
  let samples: [BenchmarkSample]
  /// What a reader of averages should know of the table.
  let warning: String?

  /// Whether it is known what samples were rendered from.
  var hasTruth: Bool { samples.contains { $0.truth != nil } }

  /// - Parameters:
  ///   - benchmark: the table, or a data folder that holds it at either place where it is published.
  ///   - data: what the table's paths are relative to.
  ///   - rows: such as "0-3,7".
  init(benchmark: String, data: String?, rows: String?) throws {
    var isDirectory: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: benchmark, isDirectory: &isDirectory)
    path = exists && isDirectory.boolValue ? try BenchmarkTable.find(in: benchmark) : benchmark
    // No row may be left out: rows are counted by their place.
    let table = try BenchmarkTable(path: path, limit: .count(0))
    warning = table.warning
    let folder = try DataFolder(data ?? Self.dataFolder(of: table))
    let chosen = try rows.map { try Self.rows($0, of: table.rows.count) }
    let truth = try MiniatureTruth(
      dataFolder: folder.path, videos: Set(table.rows.flatMap { [$0.target, $0.reference] }))
    samples = try table.rows.enumerated().compactMap { index, row -> BenchmarkSample? in
      guard chosen?.contains(index) ?? true else { return nil }
      let rendered: SampleTruth? =
        if let target = truth?.clips[row.target], let reference = truth?.clips[row.reference] {
          SampleTruth(target: target, reference: reference)
        } else {
          nil
        }
      let category = rendered?.reference.condition.category.rawValue
      return BenchmarkSample(
        row: index, targetPath: try Self.file(row.target, in: folder), targetCaption: row.targetCaption,
        referencePath: try Self.file(row.reference, in: folder), referenceCaption: row.referenceCaption,
        condition: row.condition.isEmpty ? nil : row.condition,
        category: category ?? SemanticCategory(condition: row.condition)?.rawValue, truth: rendered)
    }
    guard !samples.isEmpty else { throw EvaluationFailure.noSamples(path: path) }
  }

  /// A file that is missing is a missing sample, named when it is read; one outside of the folder is refused.
  private static func file(_ name: String, in folder: DataFolder) throws -> String {
    do {
      return try folder.file(name)
    } catch let failure as FileFailure {
      return failure.path
    }
  }

  /// The folder of the table, or the one above where the table lies in a folder `benchmark`.
  private static func dataFolder(of table: BenchmarkTable) -> String {
    let folder = URL(fileURLWithPath: table.path).deletingLastPathComponent()
    let above = folder.deletingLastPathComponent()
    // Some may be missing at either place.
    func count(_ place: URL) -> Int {
      table.rows.count { FileManager.default.fileExists(atPath: place.appendingPathComponent($0.target).path) }
    }
    return (count(above) > count(folder) ? above : folder).path
  }

  /// Writes rows as "0-3,7".
  static func text(of rows: Set<Int>) -> String {
    var ranges: [ClosedRange<Int>] = []
    for row in rows.sorted() {
      if let last = ranges.last, last.upperBound + 1 == row {
        ranges[ranges.count - 1] = last.lowerBound...row
      } else {
        ranges.append(row...row)
      }
    }
    return ranges.map { $0.lowerBound == $0.upperBound ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      .joined(separator: ",")
  }

  /// Parses "0-3,7".
  private static func rows(_ text: String, of count: Int) throws(UsageFailure) -> Set<Int> {
    var rows: Set<Int> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard let first = ends[0], let last = ends[ends.count - 1], ends.count <= 2, first >= 0, first <= last,
        last < count
      else {
        throw UsageFailure("--rows must be such as 0-3,7 and below \(count), not '\(printable(text))'")
      }
      rows.formUnion(first...last)
    }
    return rows
  }
}
