import Foundation
import Runtime
import TestSupport
import Testing

@testable import Datasets

@Suite("CSV reader")
struct CSVReaderTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func records(_ bytes: [UInt8]) throws -> [[String]] {
    let path = try directory.write(bytes, to: "table.csv")
    var records: [[String]] = []
    _ = try CSVReader.forEachRecord(of: path) { record in
      records.append((0..<record.count).map { String(decoding: record.bytes($0), as: UTF8.self) })
    }
    return records
  }

  private func records(_ text: String) throws -> [[String]] { try records(Array(text.utf8)) }

  @Test("D01: quoted fields hold commas, quotes and line breaks; lines end in LF, CR LF or CR")
  func quoting() throws {
    #expect(try records("a,b\n\"1,2\",\"x\"\"y\"\"\"\n") == [["a", "b"], ["1,2", "x\"y\""]])
    #expect(try records("a,b\r\n1,\"two\r\nlines\"\r\n") == [["a", "b"], ["1", "two\r\nlines"]])
    #expect(try records("a\rb\rc") == [["a"], ["b"], ["c"]])
    #expect(try records("a,,\n,\"\",c\n") == [["a", "", ""], ["", "", "c"]])
  }

  @Test("D01: a byte order mark is no part of the first name; empty lines and a missing last line end are nothing")
  func edges() throws {
    #expect(try records("\u{FEFF}a,b\n\n\n1,2") == [["a", "b"], ["1", "2"]])
    #expect(try records("\u{FEFF}\"a\",b\n") == [["a", "b"]])
  }

  @Test("D01: an empty file, UTF-16, a quote never closed and quotes out of place are refused with their row")
  func refusals() throws {
    #expect(message { _ = try records("") }.contains("the file is empty"))
    #expect(message { _ = try records([0xFF, 0xFE, 0x61, 0]) }.contains("UTF-16"))
    #expect(message { _ = try records("a,b\n1,\"open\n2,3\n4,5\n") }.contains("row 2: a quote is opened"))
    #expect(message { _ = try records("a,b\n1,\"x\"y\n") }.contains("row 2: a quote out of place at byte 9"))
    #expect(message { _ = try records("a,b\n1,x\"y\n") }.contains("row 2"))
    #expect(message { _ = try CSVReader.forEachRecord(of: directory.path) { _ in } }.contains("directory"))
  }

  @Test("D01: a cell of a million characters over many chunks is read whole; NUL is data here")
  func longCell() throws {
    let long = String(repeating: "long, \"cell\"\n", count: 90_000)
    let found = try records("a,b\n1,\"\(long.replacingOccurrences(of: "\"", with: "\"\""))\"\n2,3\n")
    #expect(found[1] == ["1", long])
    #expect(found[2] == ["2", "3"])
    #expect(try records([97, 0, 98, 10]) == [["a\0b"]])
  }

  @Test("the digest is that of the whole file, and what the body throws ends the reading")
  func digest() throws {
    let path = try directory.write("a,b\n1,2\n", to: "table.csv")
    var rows: [Int] = []
    let digest = try CSVReader.forEachRecord(of: path) { rows.append($0.row) }
    #expect(rows == [1, 2])
    #expect(digest == (try ContentDigest(ofFile: path)))
    #expect(throws: FieldProblem.self) {
      _ = try CSVReader.forEachRecord(of: path) { _ in throw FieldProblem("enough") }
    }
  }

  @Test("what is written is read back")
  func roundTrip() throws {
    let rows = [["a", "b \"q\"", "x,y"], [" space ", "line\nbreak", ""], ["é", "[\"p/q.mp4\"]", "0"]]
    let path = directory.file("out.csv")
    try CSVWriter.write(header: ["one", "two", "three"], rows: rows, to: path)
    var found: [[String]] = []
    _ = try CSVReader.forEachRecord(of: path) { record in
      found.append((0..<record.count).map { String(decoding: record.bytes($0), as: UTF8.self) })
    }
    #expect(Array(found.dropFirst()) == rows)
  }
}

@Suite("Packed texts")
struct TextStoreTests {
  @Test("texts get the number of their first appearance and are found again")
  func numbers() {
    var index = TextIndex()
    let texts = (0..<5000).map { "folder/\($0 % 3000).mp4" }
    let numbers = texts.map { index.number(of: $0) }
    #expect(index.count == 3000)
    #expect(numbers.prefix(3000).elementsEqual(0..<3000))
    #expect(numbers.suffix(2000).elementsEqual(0..<2000))
    #expect(zip(numbers, texts).allSatisfy { index[$0.0] == $0.1 })
    #expect(index.number(of: "") == 3000)
    #expect(index[3000] == "")
  }
}
