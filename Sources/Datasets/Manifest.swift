import Foundation
import Runtime

/// The table of a data set in VAP-Data's layout, `vap_data.csv`: a row for each video, with its caption, its condition
/// and the videos of the same condition that may be its reference.
///
/// Rows that cannot be used are left out and listed in `bad`. Texts are kept packed, so millions of rows fit.
package struct Manifest: Sendable {
  package let path: String
  /// SHA-256 of the file.
  package let digest: ContentDigest
  package let bad: BadItems
  /// Rows of the file, with those that cannot be used.
  package let totalCount: Int
  let contents: ManifestContents

  package static let fileName = "vap_data.csv"

  /// Rows that can be used.
  package var count: Int { contents.rows.count }

  package struct Row: Sendable, Equatable {
    /// Path of the video, relative to the data folder; names the row.
    package let video: String
    package let references: [String]
    package let caption: String
    /// The semantic condition that the video shows.
    package let condition: String
    /// One of the paper's categories, or another word; the first folder of the path where the table has no such column.
    package let category: String
    package let split: String
    /// How well the video shows its condition, 0...100.
    package let score: Double
    /// False where the optional column `_valid` is zero or less.
    package let isValid: Bool
  }

  package subscript(index: Int) -> Row { contents.row(index) }

  /// Finds the manifest at `path`, which may be its folder.
  package static func find(_ path: String) throws -> String {
    var isDirectory: ObjCBool = false
    let inside = "\(path)/\(fileName)"
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw DatasetFailure.noManifest(lookedFor: [path])
    }
    guard isDirectory.boolValue else { return path }
    guard FileManager.default.fileExists(atPath: inside) else { throw DatasetFailure.noManifest(lookedFor: [inside]) }
    return inside
  }

  /// Reads the table at `path` once from start to end.
  ///
  /// Throws `DatasetFailure` for a file that is no such table, and if more rows cannot be used than `limit` allows.
  package init(path: String, limit: BadLimit = .usual) throws {
    var columns: CSVColumns?
    var contents = ManifestContents()
    var bad = BadItems()
    var total = 0
    digest = try CSVReader.forEachRecord(of: path) { record in
      guard let columns else {
        columns = try CSVColumns(
          record, required: Column.required, optional: [Column.valid, Column.category], path: path)
        return
      }
      total += 1
      var video = ""
      do throws(FieldProblem) {
        video = try columns.requiredText(Column.video, of: record)
        try contents.append(record, columns)
      } catch {
        bad.note(row: record.row, video: video, reason: error.reason)
      }
    }
    guard total > 0 else { throw DatasetFailure.table(path: path, row: nil, problem: "no row follows the header") }
    guard limit.allows(bad.count, of: total) else {
      throw DatasetFailure.tooManyBad(path: path, bad: bad, total: total, limit: limit)
    }
    self.path = path
    self.contents = contents
    self.bad = bad
    totalCount = total
  }

  /// Throws unless the manifest is the one with this digest, which a run began with.
  package func checkUnchanged(since digest: String) throws(DatasetFailure) {
    guard digest == self.digest.description else {
      throw .changed(path: path, expected: digest, found: self.digest.description)
    }
  }

  /// Bytes that the rows take in memory.
  package var memoryByteCount: Int { contents.byteCount }

  /// Names of columns.
  package enum Column {
    package static let video = "video_paths"
    package static let references = "ref_video_paths"
    package static let caption = "tar_video_caption"
    package static let condition = "kind"
    package static let split = "split"
    package static let score = "reference_alignment_score"
    /// Optional.
    package static let valid = "_valid"
    /// Optional, of this program.
    package static let category = "category"

    static let required = [video, references, caption, condition, split, score]
  }
}
