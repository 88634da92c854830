import Foundation
import Runtime

/// What the videos of a synthesized data set were rendered from: the table `truth.csv` in its folder.
package struct MiniatureTruth: Sendable, Equatable {
  /// By the videos' paths relative to the data folder.
  package let clips: [String: MiniatureClip]

  package static let fileName = "truth.csv"

  private enum Column {
    static let seed = "seed"
    static let shape = "shape"
    static let pattern = "pattern"
    static let color = "color"
    static let speed = "speed"
    static let onset = "onset"
    static let required = [
      Manifest.Column.video, seed, shape, pattern, color, Manifest.Column.condition, speed, onset,
    ]
  }

  /// Reads the rows of some videos; nil if the folder has no such table.
  ///
  /// - Parameter videos: the others are passed over, as a table may have millions of rows.
  /// Throws `DatasetFailure` naming the row for values that no clip is rendered from.
  package init?(dataFolder: String, videos: Set<String>) throws {
    let path = "\(dataFolder)/\(Self.fileName)"
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    var columns: CSVColumns?
    var clips: [String: MiniatureClip] = [:]
    _ = try CSVReader.forEachRecord(of: path) { record in
      guard let columns else {
        columns = try CSVColumns(record, required: Column.required, path: path)
        return
      }
      do throws(FieldProblem) {
        let video = try columns.requiredText(Manifest.Column.video, of: record)
        guard videos.contains(video) else { return }
        clips[video] = try Self.clip(record, columns)
      } catch {
        throw DatasetFailure.table(path: path, row: record.row, problem: error.reason)
      }
    }
    self.clips = clips
  }

  private static func clip(_ record: CSVRecord, _ columns: CSVColumns) throws(FieldProblem) -> MiniatureClip {
    func value<Value>(_ column: String, _ read: (String) -> Value?) throws(FieldProblem) -> Value {
      let text = try columns.requiredText(column, of: record)
      guard let value = read(text) else {
        throw FieldProblem("'\(column)' is nothing that is rendered: '\(printable(text, limit: 40))'")
      }
      return value
    }
    func fraction(_ text: String) -> Float? { Float(text).flatMap { (0...100).contains($0) ? $0 : nil } }
    return MiniatureClip(
      seed: try value(Column.seed) { UInt64($0) },
      subject: MiniatureSubject(
        shape: try value(Column.shape) { name in MiniatureSubject.Shape.allCases.first { $0.name == name } },
        pattern: try value(Column.pattern) { name in MiniatureSubject.Pattern.allCases.first { $0.name == name } },
        color: try value(Column.color) { name in MiniatureSubject.Color.allCases.first { $0.name == name } }),
      condition: try value(Manifest.Column.condition) { MiniatureCondition(rawValue: $0) },
      timing: MiniatureTiming(speed: try value(Column.speed, fraction), onset: try value(Column.onset, fraction)))
  }
}
