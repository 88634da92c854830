import Foundation
import Pages
import Runtime

/// Writes all forms of a result into a folder.
package enum ReportFiles {
  /// - Returns: the paths, the page last.
  @discardableResult
  package static func write(
    _ result: EvaluationResult, strips: [Int: ClipStrip], to directory: String
  ) throws -> [String] {
    try Folder.make(directory)
    let files: [(name: String, data: Data)] = [
      (EvaluationResult.fileName, try JSONText.encode(result)),
      ("results.csv", Data(CSVReport.text(result).utf8)),
      ("report.md", Data(MarkdownReport.text(result).utf8)),
      ("report.html", Data(HTMLReport(result, strips: strips).text.utf8)),
    ]
    return try files.map { file in
      let path = "\(directory)/\(file.name)"
      try AtomicFile.write(file.data, to: path)
      return path
    }
  }
}
