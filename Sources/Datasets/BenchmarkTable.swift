import Foundation
import Runtime

/// The table of a benchmark in VAP-Data's layout, `benchmark.csv`: targets, each with its reference and captions.
package struct BenchmarkTable: Sendable {
  package struct Row: Sendable, Equatable {
    /// Path relative to the data folder; the first frame is the image that generation starts from.
    package let target: String
    package let reference: String
    package let targetCaption: String
    package let referenceCaption: String
    /// Empty where the table has no column `kind`.
    package let condition: String
    /// A name for what is generated, which no other row has.
    package let outputName: String
  }

  package let path: String
  package let rows: [Row]
  package let bad: BadItems

  /// Rows of the published benchmark: two for each of 24 conditions.
  package static let publishedCount = 48
  package static let fileName = "benchmark.csv"

  /// Finds the table below a data folder: where the published documentation says, or where the published code looks.
  package static func find(in root: String) throws(DatasetFailure) -> String {
    let places = ["\(root)/benchmark/\(fileName)", "\(root)/\(fileName)"]
    guard let path = places.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
      throw .noManifest(lookedFor: places)
    }
    return path
  }

  /// Reads a table; rows that cannot be used are left out, up to `limit`.
  package init(path: String, limit: BadLimit = .usual) throws {
    var columns: CSVColumns?
    var rows: [Row] = []
    var bad = BadItems()
    _ = try CSVReader.forEachRecord(of: path) { record in
      guard let columns else {
        columns = try CSVColumns(
          record, required: Column.required, optional: [Manifest.Column.condition], path: path)
        return
      }
      do throws(FieldProblem) {
        rows.append(try Self.row(record, columns, place: rows.count + bad.count))
      } catch {
        bad.note(row: record.row, video: "", reason: error.reason)
      }
    }
    let total = rows.count + bad.count
    guard total > 0 else { throw DatasetFailure.table(path: path, row: nil, problem: "no row follows the header") }
    guard limit.allows(bad.count, of: total) else {
      throw DatasetFailure.tooManyBad(path: path, bad: bad, total: total, limit: limit)
    }
    self.path = path
    self.rows = rows
    self.bad = bad
  }

  /// What a user should know: a benchmark of another size than the published one gives other averages.
  package var warning: String? {
    rows.count < Self.publishedCount
      ? "\(printable(path, limit: 500)): \(rows.count) rows; the published benchmark has \(Self.publishedCount)" : nil
  }

  package enum Column {
    package static let target = "video_paths"
    package static let reference = "ref_video_path"
    package static let targetCaption = "tar_video_caption"
    package static let referenceCaption = "ref_video_caption"
    static let required = [target, reference, targetCaption, referenceCaption]
  }

  private static func row(_ record: CSVRecord, _ columns: CSVColumns, place: Int) throws(FieldProblem) -> Row {
    func video(_ column: String) throws(FieldProblem) -> String {
      guard let path = DataFolder.normalized(try columns.requiredText(column, of: record)) else {
        throw FieldProblem("'\(column)' must be a path inside of the data folder")
      }
      return path
    }
    let target = try video(Column.target)
    let stem = URL(fileURLWithPath: target).deletingPathExtension().lastPathComponent
    let number = String(place)
    return Row(
      target: target, reference: try video(Column.reference),
      targetCaption: try columns.requiredText(Column.targetCaption, of: record),
      referenceCaption: try columns.requiredText(Column.referenceCaption, of: record),
      condition: try columns.text(Manifest.Column.condition, of: record) ?? "",
      // Videos of different folders often have the same name.
      outputName: String(repeating: "0", count: max(0, 3 - number.count)) + number + "-" + stem)
  }
}
