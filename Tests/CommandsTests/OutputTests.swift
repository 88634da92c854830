import Foundation
import TestSupport
import Testing

@testable import Commands

/// Where commands write: standard output, and names that are given for files and folders.
@Suite("Outputs of commands", .serialized)
struct OutputTests {
  @Test(
    "standard output that is full or that nobody reads any more is told with status 4 and one line",
    arguments: ["exec >/dev/full; ", "exec > >(true); wait $!; "],
    [["--help"], ["--version"], ["generate", "--help"], ["inspect", "mini"]])
  func lostOutput(before: String, arguments: [String]) throws {
    let outcome = try BuiltProgram.run(arguments, before: before)
    #expect(outcome.status == 4, "\(outcome.errors)")
    #expect(outcome.errors.hasPrefix("error: standard output: ") && outcome.errors.split(separator: "\n").count == 1)
  }

  @Test(
    "the empty name of an output is refused before any work",
    arguments: [
      ["data", "synthesize", "--out", ""], ["init", "--output", ""], ["demo", "--output", ""], ["sample", ""],
      ["pack", "--model", "mini", "--output", ""], ["eval", "--benchmark", "x", "--videos", "y", "--out", ""],
      ["eval", "table", "x", "y", "--out", ""], ["study", "serve", "--benchmark", "x", "--database", ""],
    ])
  func emptyName(arguments: [String]) throws {
    let outcome = try BuiltProgram.run(arguments)
    #expect(outcome.status == 2 && outcome.errors.contains("is empty"), "\(outcome.errors)")
  }

  @Test("planning a large data set shows that it goes on, and ends when it is asked to, with nothing written")
  func interruptedPlan() throws {
    let (directory, output) = (try TemporaryDirectory(), Pipe())
    let process = try BuiltProgram.start(
      ["data", "synthesize", "--out", directory.file("data"), "--videos", "1000000"], standardError: output)
    var text = ""
    while !text.contains("plan videos") {
      let data = output.fileHandleForReading.availableData
      try #require(!data.isEmpty, "\(text)")
      text += String(decoding: data, as: UTF8.self)
    }
    kill(process.processIdentifier, SIGTERM)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 128 + SIGTERM)
    #expect(!FileManager.default.fileExists(atPath: directory.file("data")))
  }
}
