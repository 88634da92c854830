import Foundation
import TestSupport
import Testing

@testable import Commands

/// What `vap pack` and `vap init` leave, and what they refuse to write over.
@Suite("vap pack and vap init: folders", .serialized)
struct PipelineOutputTests {
  private let directory: TemporaryDirectory

  /// Makes a pipeline, `start`.
  init() throws {
    directory = try TemporaryDirectory()
    #expect(VAPCommand.run(["init", "--output", directory.file("start"), "--size", "16", "--frames", "9"]) == 0)
  }

  private func contents() throws -> [String: Data] {
    var found: [String: Data] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: directory.path) {
      found[name] = FileManager.default.contents(atPath: directory.file(name)) ?? Data()
    }
    return found
  }

  private func pack(_ output: String, _ options: [String] = []) throws -> BuiltProgram.Outcome {
    try BuiltProgram.run(
      ["pack", "--model", directory.file("start"), "--output", directory.file(output)] + options)
  }

  @Test("a pack is never written into, over or around its own inputs, under whatever name")
  func ownInputs() throws {
    // A part of a pipeline, such as a training leaves, and a link to it.
    for part in ["transformer", "vae"] {
      try FileManager.default.createDirectory(atPath: directory.file("part"), withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        atPath: directory.file("start/\(part)"), toPath: directory.file("part/\(part)"))
    }
    try FileManager.default.createSymbolicLink(
      atPath: directory.file("link"), withDestinationPath: directory.file("part"))
    let before = try contents()
    let (transformer, vae) = (directory.file("part/transformer"), directory.file("part/vae"))
    for (output, options) in [
      ("part", ["--transformer", transformer, "--without-expert"]), ("part", ["--vae", vae]), ("link", ["--vae", vae]),
      ("part/../part", ["--transformer", directory.file("link")]), ("part/vae", ["--vae", vae]),
      ("part/vae/new", ["--vae", vae]), ("start", []), ("start/transformer", []), ("start/new/pipeline", []), ("", []),
    ] {
      let outcome = try pack(output, options)
      #expect(outcome.status == 2, "\(output), \(options): \(outcome.errors)")
      #expect(outcome.errors.contains("its own input"), "\(outcome.errors)")
      #expect(try contents() == before, "\(output), \(options)")
    }
    #expect(try pack("new", ["--transformer", directory.file("link"), "--vae", vae]).status == 0)
  }

  @Test("parts that do not fit or are not there leave nothing, and the same folder can be packed to afterwards")
  func nothingIsLeft() throws {
    let before = try contents()
    let foreign = try pack("new", ["--transformer", Fixtures.path("cogvideox-tiny/checkpoint/transformer")])
    #expect(foreign.status == 3 && foreign.errors.contains("do not fit each other"), "\(foreign.errors)")
    #expect(!foreign.errors.contains(".partial"), "\(foreign.errors)")
    #expect(try pack("new", ["--vae", directory.file("nothing")]).status == 3)
    #expect(try pack("new", ["--transformer", directory.file("nothing")]).status == 3)
    #expect(try contents() == before)
    #expect(try pack("new").status == 0)
    let again = try pack("new")
    #expect(again.status == 2 && again.errors.contains("holds a pipeline already"), "\(again.errors)")
  }

  @Test("what a killed process left does not stand in the way; files of others stay, and are never replaced")
  func litter() throws {
    // Process numbers end far below.
    try directory.write("half", to: "new/.partial-\(Int32.max - 1)-.contents/vae/config.json")
    try directory.write("mine", to: "new/notes.txt")
    #expect(try pack("new").status == 0)
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.file("new"))
    #expect(names.contains("notes.txt") && names.contains("model_index.json"))
    #expect(names.allSatisfy { !$0.hasPrefix(".partial") })
    try directory.write("mine", to: "other/vae/config.json")
    let refused = try pack("other")
    #expect(refused.status == 2 && refused.errors.contains("holds 'vae' already"), "\(refused.errors)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.file("other")) == ["vae"])
  }

  @Test("a disk that takes no more leaves no part of a new pipeline")
  func fullDisk() throws {
    // In units of 1024 bytes.
    let command = ["init", "--output", directory.file("new"), "--size", "16", "--frames", "9"]
    let outcome = try BuiltProgram.run(command, before: "ulimit -f 100; ")
    #expect(outcome.status == 4, "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: directory.file("new")))
    #expect(VAPCommand.run(command) == 0)
    #expect(VAPCommand.run(command) == 2)
  }
}
