/// A table of a report, as rows of text; each format writes it in its own way.
package struct ReportTable: Sendable, Equatable {
  package let header: [String]
  package let rows: [[String]]
  /// Columns from the left that hold text; the others hold numbers.
  package let textColumns: Int

  package init(header: [String], rows: [[String]], textColumns: Int = 1) {
    self.header = header
    self.rows = rows
    self.textColumns = textColumns
  }

  /// Pipe table; the header is written first.
  package var markdown: String {
    func line(_ cells: [String]) -> String {
      "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }
    return ([line(header), "|" + header.map { _ in "---|" }.joined()] + rows.map(line)).joined(separator: "\n")
  }

  /// - Parameters:
  ///   - isSortable: whether a click on a heading sorts the rows.
  ///   - own: first cell of the row that stands out.
  package func html(isSortable: Bool = false, own: String? = nil) -> String {
    let kinds = header.indices.map { $0 < textColumns ? " class=\"text\"" : "" }
    let head = zip(header, kinds).map { title, kind in
      let text = HTMLText.escaped(title)
      return "<th\(kind)>\(isSortable ? "<button type=\"button\">\(text)</button>" : text)</th>"
    }.joined()
    let body = rows.map { row in
      let cells = zip(row, kinds).map { "<td\($1)>\(HTMLText.escaped($0))</td>" }.joined()
      return "<tr\(own != nil && row.first == own ? " class=\"own\"" : "")>\(cells)</tr>"
    }.joined()
    return "<div class=\"wide\"><table\(isSortable ? " class=\"sortable\"" : "")><thead><tr>\(head)</tr></thead>"
      + "<tbody>\(body)</tbody></table></div>"
  }
}
