import Foundation
import Runtime
import TestSupport
import Testing

@testable import Commands

@Suite("SettingsFile")
struct SettingsFileTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func read(_ text: String) throws -> GenerateSettings {
    try GenerateSettings(file: directory.write(text, to: "settings.yaml"))
  }

  @Test("an empty file says nothing, and a full one is read by the options' names")
  func reads() throws {
    #expect(try read("") == GenerateSettings())
    #expect(try read("# nothing\n") == GenerateSettings())
    let settings = try read("steps: 3\nguidance: 2\nref-video: [a.mp4, b.mp4]\nside-by-side: true\n")
    #expect(settings.steps == 3)
    #expect(settings.guidance == 2)
    #expect(settings.referenceVideos == [directory.file("a.mp4"), directory.file("b.mp4")])
    #expect(settings.sideBySide == true)
  }

  @Test(
    "N03: a value of the wrong kind is refused with the key and what it must be",
    arguments: [
      ("steps: many", "has an unusable value for 'steps': it must be a whole number"),
      ("seed: -1", "has an unusable value for 'seed': it must be a whole number, 0 or more"),
      ("guidance: high", "has an unusable value for 'guidance': it must be a number"),
      ("overwrite: 7", "has an unusable value for 'overwrite': it must be true or false"),
      ("ref-video: {a: b}", "has an unusable value for 'ref-video': it must be a list"),
      ("ref-video: a.mp4", "has an unusable value for 'ref-video': it must be a list, as in [a, b]"),
      ("steps: [1, 2]", "has an unusable value for 'steps': it must be a single value"),
      ("- a\n- b", "is not a list of 'key: value'"),
      ("stepz: 3", "has an unknown key 'stepz'; did you mean 'steps'? known are content-filter, crf"),
      ("prompt: [1", "is not valid YAML"),
    ])
  func wrongKind(text: String, problem: String) throws {
    let failure = try #require(#expect(throws: SettingsFailure.self) { try read(text) })
    #expect(failure.problem.hasPrefix(problem), "\(failure.problem)")
  }

  @Test("a missing file and a folder are refused as files are")
  func notAFile() {
    #expect(throws: FileFailure(path: directory.file("none.yaml"), action: "open", code: ENOENT)) {
      try GenerateSettings(file: directory.file("none.yaml"))
    }
    #expect(throws: FileFailure.self) { try GenerateSettings(file: directory.path) }
  }
}
