import CCSV
import Foundation
import Runtime

/// One record of a CSV file; its contents are valid until the next one is read.
package final class CSVRecord {
  /// Counted from 1, the header being row 1; empty lines do not count.
  package fileprivate(set) var row = 0
  fileprivate var contents: [UInt8] = []
  fileprivate var ends: [Int] = []

  fileprivate init() {}

  package var count: Int { ends.count }

  /// The bytes of a field, without its quotes.
  package func bytes(_ field: Int) -> ArraySlice<UInt8> { contents[(field == 0 ? 0 : ends[field - 1])..<ends[field]] }

  fileprivate func clear() {
    contents.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
  }
}

/// Reads CSV files (RFC 4180) through libcsv, record by record, in memory that does not grow with the file.
///
/// Quoted fields may hold line breaks; lines end in LF, CR LF or CR; a UTF-8 byte order mark is left out. Quotes inside
/// of unquoted fields, text after a closing quote and a quote that is never closed are refused with their place.
package enum CSVReader {
  /// Longest field in bytes: a quote that is never closed must not take all memory.
  package static let longestField = 64 << 20

  /// Calls `body` with each record.
  ///
  /// - Returns: the digest of the file, of the same bytes that were parsed. Throws `DatasetFailure.table`, `FileFailure`,
  ///   or what `body` throws.
  package static func forEachRecord(of path: String, _ body: (CSVRecord) throws -> Void) throws -> ContentDigest {
    let file = try RegularFile(path: path)
    guard file.size > 0 else { throw DatasetFailure.table(path: path, row: nil, problem: "the file is empty") }
    var hasher = ContentHasher()
    try withoutActuallyEscaping(body) { body in
      let parsing = try Parsing(path: path, body)
      var isFirst = true
      try file.forEachChunk(of: 0..<file.size) { chunk in
        try Interruption.check()
        hasher.update(chunk)
        var chunk = chunk
        if isFirst {
          chunk = try withoutMark(chunk, path: path)
          isFirst = false
        }
        try parsing.take(chunk)
      }
      try parsing.finish()
    }
    try file.checkUnchanged()
    return hasher.finish()
  }

  private static func withoutMark(_ chunk: UnsafeRawBufferPointer, path: String) throws -> UnsafeRawBufferPointer {
    if chunk.starts(with: [0xEF, 0xBB, 0xBF]) { return UnsafeRawBufferPointer(rebasing: chunk[3...]) }
    if chunk.starts(with: [0xFF, 0xFE]) || chunk.starts(with: [0xFE, 0xFF]) {
      throw DatasetFailure.table(path: path, row: nil, problem: "is UTF-16 text; save it as UTF-8")
    }
    return chunk
  }
}

/// A libcsv parser and what its callbacks need.
private final class Parsing {
  private let path: String
  fileprivate let record = CSVRecord()
  fileprivate let body: (CSVRecord) throws -> Void
  private var parser = csv_parser()
  /// What `body` threw; libcsv cannot be stopped within a chunk.
  fileprivate var failure: (any Error)?
  private var offset = 0

  init(path: String, _ body: @escaping (CSVRecord) throws -> Void) throws {
    self.path = path
    self.body = body
    guard csv_init(&parser, UInt8(CSV_STRICT | CSV_STRICT_FINI)) == 0 else {
      throw FileFailure(path: path, action: "read it as CSV", code: ENOMEM)
    }
    csv_set_blk_size(&parser, 1 << 16)
    record.row = 1
  }

  deinit { csv_free(&parser) }

  func take(_ chunk: UnsafeRawBufferPointer) throws {
    let context = Unmanaged.passUnretained(self).toOpaque()
    let count = csv_parse(&parser, chunk.baseAddress, chunk.count, takeField, takeRow, context)
    if let failure { throw failure }
    guard count == chunk.count else { throw problem(at: offset + count) }
    guard parser.entry_pos + record.contents.count <= CSVReader.longestField else {
      throw DatasetFailure.table(
        path: path, row: record.row,
        problem: "more than \(CSVReader.longestField >> 20) MiB in one row; is a quote never closed?")
    }
    offset += count
  }

  func finish() throws {
    let status = csv_fini(&parser, takeField, takeRow, Unmanaged.passUnretained(self).toOpaque())
    if let failure { throw failure }
    guard status == 0 else {
      throw DatasetFailure.table(path: path, row: record.row, problem: "a quote is opened and never closed")
    }
  }

  private func problem(at offset: Int) -> any Error {
    guard csv_error(&parser) == CSV_EPARSE else {
      return FileFailure(path: path, action: "read it as CSV", code: ENOMEM)
    }
    return DatasetFailure.table(
      path: path, row: record.row,
      problem: "a quote out of place at byte \(offset); quotes inside of a quoted field are written twice")
  }
}

private func takeField(_ bytes: UnsafeMutableRawPointer?, _ count: Int, _ context: UnsafeMutableRawPointer?) {
  guard let context else { return }
  let record = Unmanaged<Parsing>.fromOpaque(context).takeUnretainedValue().record
  if let bytes { record.contents.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count)) }
  record.ends.append(record.contents.count)
}

private func takeRow(_ terminator: Int32, _ context: UnsafeMutableRawPointer?) {
  guard let context else { return }
  let parsing = Unmanaged<Parsing>.fromOpaque(context).takeUnretainedValue()
  do {
    if parsing.failure == nil { try parsing.body(parsing.record) }
  } catch {
    parsing.failure = error
  }
  parsing.record.clear()
  parsing.record.row += 1
}
