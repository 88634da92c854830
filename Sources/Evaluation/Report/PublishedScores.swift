import Datasets
import Runtime

/// Scores that others published, by system and column, to stand beside results: a CSV file whose first column, `system`,
/// names what `vap eval --system` calls a system, and whose other columns hold numbers or nothing.
package struct PublishedScores: Sendable, Equatable {
  /// In the file's order.
  package let columns: [String]
  /// By system, then by column.
  package let scores: [String: [String: Double]]

  package static let systemColumn = "system"

  /// Throws `DatasetFailure` naming the row.
  package init(path: String) throws {
    var header: [String]?
    var scores: [String: [String: Double]] = [:]
    _ = try CSVReader.forEachRecord(of: path) { record in
      func problem(_ text: String) -> DatasetFailure { .table(path: path, row: record.row, problem: text) }
      let cells = try (0..<record.count).map { index -> String in
        guard let text = String(validating: record.bytes(index), as: UTF8.self) else {
          throw problem("is not UTF-8 text")
        }
        return text
      }
      guard let header else {
        guard cells.first == Self.systemColumn, Set(cells).count == cells.count else {
          throw problem("the first column must be 'system', and each name stand once")
        }
        header = cells
        return
      }
      guard cells.count == header.count else {
        throw problem("has \(cells.count) fields where the first row has \(header.count)")
      }
      guard scores[cells[0]] == nil else { throw problem("'\(printable(cells[0]))' stands twice") }
      var values: [String: Double] = [:]
      for (name, cell) in zip(header, cells).dropFirst() where !cell.isEmpty {
        guard let value = Double(cell), value.isFinite else {
          throw problem("'\(printable(name))' is not a number: '\(printable(cell, limit: 40))'")
        }
        values[name] = value
      }
      scores[cells[0]] = values
    }
    columns = Array((header ?? []).dropFirst())
    self.scores = scores
  }
}
