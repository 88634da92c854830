import ArgumentParser
import Evaluation
import Foundation
import Runtime
import Study
import Synchronization

struct StudyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "study",
    abstract: "Ask people which system's videos they prefer.",
    subcommands: [StudyServeCommand.self, StudyExportCommand.self])
}

struct StudyServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve a blind comparison of several systems to browsers.",
    discussion: """
      Shows reference and image of a row and the systems' videos in an order that differs from person to person, and asks \
      which follows the reference best and which looks best. Votes go into --database at once. Only this machine can reach \
      the page unless --host names another interface; then anyone on that network can vote.

      Example: vap study serve --benchmark benchmark.csv --videos VAP=eval-cog/videos --videos Kling=kling \
      --database votes.sqlite
      """)

  @Option(help: "The benchmark's CSV file, or the data folder that holds it.", completion: .file())
  var benchmark: String

  @Option(help: "Folder that the table's paths are relative to.", completion: .directory) var data: String?
  @Option(name: .customLong("videos"), help: "A system and its folder of videos, as NAME=DIR; two to eight of them.")
  var systems: [String] = []
  @Option(help: "Rows to ask about, such as 0-3,7 (default: all).") var rows: String?
  @Option(help: "SQLite file for the votes; made if it does not exist.", completion: .file()) var database: String
  @Option(help: "IPv4 address of the interface to serve on.") var host = "127.0.0.1"
  @Option(help: "Port to serve on.") var port: UInt16 = 8090
  @Option(help: "Seed of the orders.") var seed: UInt64 = 42

  func run() throws {
    try UsageFailure.checkIsNotEmpty(database, "--database")
    let chosen = try systems.map { text in
      guard let mark = text.firstIndex(of: "="), mark > text.startIndex else {
        throw UsageFailure("--videos must be NAME=DIR, not '\(printable(text))'")
      }
      return StudyPlan.System(
        name: String(text[..<mark]), clips: try ClipSource(directory: String(text[text.index(after: mark)...])))
    }
    let table = try BenchmarkInput(benchmark: benchmark, data: data, rows: rows)
    let plan = try StudyPlan(table.samples, chosen, seed: seed)
    let store = try VoteStore(path: database, study: plan.digest)
    let server = try StudyServer(plan, store, host: host, port: port)
    let ended = DispatchSemaphore(value: 0)
    let end = Ending()
    let task = Task {
      do { try await server.run() } catch { end.note(error) }
      ended.signal()
    }
    print("\(plan.questions.count) comparisons of \(plan.systems.count) systems: http://\(host):\(port)/ (Ctrl-C ends)")
    fflush(nil)
    while ended.wait(timeout: .now() + 0.2) == .timedOut {
      if Interruption.isRequested { task.cancel() }
    }
    if let error = end.error { throw error }
  }
}

/// Why a server ended by itself.
private final class Ending: Sendable {
  private let state = Mutex<(any Error)?>(nil)
  var error: (any Error)? { state.withLock { $0 } }
  func note(_ error: any Error) { state.withLock { $0 = error } }
}

struct StudyExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Print the share of votes of each system, with 95 % intervals.")

  @Option(help: "SQLite file with the votes.", completion: .file()) var database: String
  @Flag(help: "Print JSON instead of CSV.") var json = false

  func run() throws {
    try UsageFailure.checkIsNotEmpty(database, "--database")
    let rates = PreferenceRates(try VoteStore(path: database, study: nil).votes())
    print(json ? String(decoding: try JSONText.encode(rates), as: UTF8.self) : rates.csv, terminator: "")
  }
}
