import Foundation
import Runtime

/// Writes the tables of a data set in VAP-Data's layout.
package enum ManifestWriter {
  /// Writes `vap_data.csv` with this program's column of categories at the end; throws `FileFailure`.
  package static func write(_ rows: [Manifest.Row], to path: String) throws {
    typealias Column = Manifest.Column
    try CSVWriter.write(
      header: [
        Column.video, Column.references, Column.caption, Column.condition, Column.split, Column.score, Column.category,
      ],
      rows: rows.lazy.map { row in
        [
          row.video, list(row.references), row.caption, row.condition, row.split, number(row.score), row.category,
        ]
      }, to: path)
  }

  /// Writes `benchmark.csv`, with the condition as a further column.
  package static func write(benchmark rows: [BenchmarkTable.Row], to path: String) throws {
    typealias Column = BenchmarkTable.Column
    try CSVWriter.write(
      header: [
        Column.target, Column.reference, Column.targetCaption, Column.referenceCaption, Manifest.Column.condition,
      ],
      rows: rows.lazy.map { [$0.target, $0.reference, $0.targetCaption, $0.referenceCaption, $0.condition] }, to: path)
  }

  /// A JSON list of strings.
  private static func list(_ texts: [String]) -> String {
    let quoted = texts.map { text in
      var result = "\""
      for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\u{0}"..<"\u{20}": result += String(format: "\\u%04x", scalar.value)
        default: result.unicodeScalars.append(scalar)
        }
      }
      return result + "\""
    }
    return "[\(quoted.joined(separator: ", "))]"
  }

  private static func number(_ value: Double) -> String { value == value.rounded() ? "\(Int(value))" : "\(value)" }
}
