import CSQLite
import Foundation
import Runtime
import Synchronization

/// What participants are asked about each row.
package enum StudyAspect: String, CaseIterable, Sendable, Codable {
  /// Which clip does what the reference does.
  case alignment
  /// Which clip looks best.
  case quality
}

package struct Vote: Sendable, Equatable {
  package let participant: String
  package let row: Int
  package let aspect: StudyAspect
  package let system: String

  package init(participant: String, row: Int, aspect: StudyAspect, system: String) {
    self.participant = participant
    self.row = row
    self.aspect = aspect
    self.system = system
  }
}

/// Votes in an SQLite file.
///
/// The system's library is used as it is: a study needs two statements, which is less than a wrapper package to build.
package final class VoteStore: Sendable {
  private let path: String
  private let database: Mutex<Database>

  /// A connection; used by one thread at a time.
  private final class Database: @unchecked Sendable {
    // Sound to share: only reached through the mutex above.
    var handle: OpaquePointer?
    deinit { sqlite3_close_v2(handle) }
  }

  /// Opens the file, makes it if it is not there.
  ///
  /// - Parameter study: digest of the study; nil to read whatever study the file holds.
  /// Throws `StudyFailure` for files of another study or of another kind.
  package init(path: String, study: String?) throws {
    self.path = path
    let opened = Database()
    let flags = study == nil ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
    guard sqlite3_open_v2(path, &opened.handle, flags, nil) == SQLITE_OK else {
      throw Self.failure(opened, path)
    }
    sqlite3_busy_timeout(opened.handle, 5000)
    database = Mutex(opened)
    guard let study else { return }
    try run("CREATE TABLE IF NOT EXISTS study (digest TEXT NOT NULL)")
    try run(
      """
      CREATE TABLE IF NOT EXISTS vote (participant TEXT NOT NULL, row INTEGER NOT NULL, aspect TEXT NOT NULL,
      system TEXT NOT NULL, PRIMARY KEY (participant, row, aspect)) WITHOUT ROWID
      """)
    try run("INSERT INTO study SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM study)", [study])
    guard try rows("SELECT digest FROM study", columns: 1) == [[study]] else {
      throw StudyFailure.otherStudy(path: path)
    }
  }

  /// Stores the votes on one row together; a participant's earlier votes on it are replaced.
  package func store(_ votes: [Vote]) throws {
    try database.withLock { database in
      try run("BEGIN IMMEDIATE", on: database)
      do {
        for vote in votes {
          try run(
            "INSERT OR REPLACE INTO vote VALUES (?1, ?2, ?3, ?4)",
            [vote.participant, String(vote.row), vote.aspect.rawValue, vote.system], on: database)
        }
        try run("COMMIT", on: database)
      } catch {
        try? run("ROLLBACK", on: database)
        throw error
      }
    }
  }

  /// All votes, in a fixed order.
  package func votes() throws -> [Vote] {
    try rows("SELECT participant, row, aspect, system FROM vote ORDER BY participant, row, aspect", columns: 4)
      .compactMap { fields in
        guard let row = Int(fields[1]), let aspect = StudyAspect(rawValue: fields[2]) else { return nil }
        return Vote(participant: fields[0], row: row, aspect: aspect, system: fields[3])
      }
  }

  /// Rows that a participant has voted on.
  package func finishedRows(of participant: String) throws -> Set<Int> {
    Set(try rows("SELECT DISTINCT row FROM vote WHERE participant = ?1", [participant], columns: 1).compactMap { Int($0[0]) })
  }

  // MARK: - SQLite

  private func run(_ sql: String, _ values: [String] = []) throws {
    try database.withLock { try run(sql, values, on: $0) }
  }

  private func run(_ sql: String, _ values: [String] = [], on database: Database) throws {
    _ = try rows(sql, values, columns: 0, on: database)
  }

  private func rows(_ sql: String, _ values: [String] = [], columns: Int) throws -> [[String]] {
    try database.withLock { try rows(sql, values, columns: columns, on: $0) }
  }

  private func rows(_ sql: String, _ values: [String], columns: Int, on database: Database) throws -> [[String]] {
    var statement: OpaquePointer?
    guard sqlite3_prepare_v2(database.handle, sql, -1, &statement, nil) == SQLITE_OK else {
      throw Self.failure(database, path)
    }
    defer { sqlite3_finalize(statement) }
    // SQLite copies the text before the call returns.
    let copies = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    for (index, value) in values.enumerated() {
      guard sqlite3_bind_text(statement, Int32(index + 1), value, -1, copies) == SQLITE_OK else {
        throw Self.failure(database, path)
      }
    }
    var result: [[String]] = []
    while true {
      switch sqlite3_step(statement) {
      case SQLITE_ROW:
        result.append(
          (0..<columns).map { column in
            sqlite3_column_text(statement, Int32(column)).map { String(cString: $0) } ?? ""
          })
      case SQLITE_DONE: return result
      default: throw Self.failure(database, path)
      }
    }
  }

  private static func failure(_ database: Database, _ path: String) -> StudyFailure {
    .database(path: path, reason: database.handle.map { String(cString: sqlite3_errmsg($0)) } ?? "no memory")
  }
}
