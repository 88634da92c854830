import Foundation
import Runtime

/// Writes tables that `CSVReader`, pandas and spreadsheets read alike.
package enum CSVWriter {
  /// Writes a header and rows atomically; throws `FileFailure`.
  package static func write(header: [String], rows: some Sequence<[String]>, to path: String) throws {
    var text = line(header)
    for row in rows { text += line(row) }
    try AtomicFile.write(Data(text.utf8), to: path)
  }

  private static func line(_ fields: [String]) -> String { fields.map(field).joined(separator: ",") + "\n" }

  private static func field(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { ![UInt8(ascii: ","), UInt8(ascii: "\""), 10, 13].contains($0) }
    let hasEdges = text.first?.isWhitespace == true || text.last?.isWhitespace == true
    return isPlain && !hasEdges ? text : "\"\(text.replacingOccurrences(of: "\"", with: "\"\""))\""
  }
}
