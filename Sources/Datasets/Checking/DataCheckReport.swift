import Foundation
import Runtime

extension DataCheck.Report {
  /// The report as lines for people: a table by category and condition, then what is wrong.
  package var lines: [String] {
    var lines: [String] = []
    let width = max(12, statistics.categories.flatMap(\.conditions).map { $0.name.count }.max() ?? 0, 12)
    func line(_ name: String, _ values: [String]) -> String {
      name.padding(toLength: max(width, name.count) + 2, withPad: " ", startingAt: 0)
        + values.map { String(repeating: " ", count: max(0, 9 - $0.count)) + $0 }.joined()
    }
    lines.append(line("condition", ["videos", "train", "score", "frames", "seconds"]))
    for category in statistics.categories {
      lines.append("\(printable(category.name)) (\(category.conditions.count) conditions, \(category.videos) videos)")
      for condition in category.conditions {
        lines.append(
          line(
            "  " + printable(condition.name),
            [
              "\(condition.videos)", "\(condition.splits[PairingRules.split] ?? 0)",
              String(format: "%.1f", condition.meanScore), "\(condition.frames)",
              String(format: "%.1f", condition.seconds),
            ]))
      }
    }
    lines.append("\(statistics.videos) videos in \(statistics.conditions) conditions; SHA-256 \(manifest.digest)")
    lines += notes
    lines.append(
      bad.count == 0 ? "nothing is wrong with any video" : "\(bad.count) of \(manifest.totalCount) cannot be used:")
    lines += bad.items.prefix(100).map { "  " + $0.line }
    if bad.count > 100 { lines.append("  … and \(bad.count - 100) more") }
    return lines
  }

  private var notes: [String] {
    var notes: [String] = []
    if !lonelyConditions.isEmpty {
      let names = lonelyConditions.prefix(10).map { printable($0) }.joined(separator: ", ")
      notes.append("\(lonelyConditions.count) conditions have one video, which is not trained on: \(names)")
    }
    if unknownReferences > 0 { notes.append("\(unknownReferences) listed references are no row of the table") }
    if selfReferences > 0 { notes.append("\(selfReferences) rows list themselves as reference; that is not drawn") }
    return notes + benchmark
  }

  /// The report as JSON, with sorted keys.
  package func json() throws -> Data {
    struct Item: Encodable {
      let row: Int?
      let video: String
      let reason: String
    }
    struct Contents: Encodable {
      let manifest: String
      let sha256: String
      let rows: Int
      let videos: Int
      let conditions: Int
      let bad: Int
      let problems: [Item]
      let categories: [DatasetStatistics.Category]
      let lonelyConditions: [String]
      let unknownReferences: Int
      let selfReferences: Int
      let benchmark: [String]
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(
      Contents(
        manifest: manifest.path, sha256: manifest.digest.description, rows: manifest.totalCount,
        videos: statistics.videos, conditions: statistics.conditions, bad: bad.count,
        problems: bad.items.map { Item(row: $0.row, video: $0.video, reason: $0.reason) },
        categories: statistics.categories, lonelyConditions: lonelyConditions, unknownReferences: unknownReferences,
        selfReferences: selfReferences, benchmark: benchmark))
  }
}
