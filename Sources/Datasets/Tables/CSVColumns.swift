import Runtime

/// Where the named columns of a table stand, whatever their order.
struct CSVColumns {
  private let path: String
  private let places: [String: Int]
  private let count: Int

  /// Reads the names in a header.
  ///
  /// Throws `DatasetFailure` if a required one is missing or one that is used occurs twice; others may be there.
  init(_ header: CSVRecord, required: [String], optional: [String] = [], path: String) throws {
    self.path = path
    count = header.count
    let names = (0..<header.count).map { String(decoding: header.bytes($0), as: UTF8.self) }
    var places: [String: Int] = [:]
    for (index, name) in names.enumerated() where required.contains(name) || optional.contains(name) {
      guard places.updateValue(index, forKey: name) == nil else {
        throw DatasetFailure.duplicateColumn(path: path, column: name)
      }
    }
    self.places = places
    for name in required where places[name] == nil {
      throw DatasetFailure.missingColumn(path: path, column: name, found: names)
    }
  }

  func contains(_ name: String) -> Bool { places[name] != nil }

  /// A field as text; nil if the table has no such column.
  ///
  /// Throws `FieldProblem` for a row of another length, and for text that is not UTF-8 or holds NUL.
  func text(_ name: String, of record: CSVRecord) throws(FieldProblem) -> String? {
    guard record.count == count else {
      throw FieldProblem("has \(record.count) fields where the first row has \(count)")
    }
    guard let place = places[name] else { return nil }
    let bytes = record.bytes(place)
    guard !bytes.contains(0) else { throw FieldProblem("'\(name)' holds a NUL byte") }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw FieldProblem("'\(name)' is not UTF-8 text")
    }
    return text
  }

  /// `text` of a column that was required.
  func requiredText(_ name: String, of record: CSVRecord) throws(FieldProblem) -> String {
    guard let text = try text(name, of: record) else { throw FieldProblem("has no '\(name)'") }
    return text
  }

  /// A number; nil if the table has no such column.
  func number(_ name: String, of record: CSVRecord) throws(FieldProblem) -> Double? {
    guard let text = try text(name, of: record) else { return nil }
    guard let value = Double(text), value.isFinite else {
      throw FieldProblem("'\(name)' is not a number: '\(printable(text, limit: 40))'")
    }
    return value
  }
}

/// Why a row cannot be used.
struct FieldProblem: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}
