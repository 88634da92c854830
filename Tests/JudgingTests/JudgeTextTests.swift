import Evaluation
import Foundation
import Media
import Runtime
import TestSupport
import Testing

@testable import Judging

@Suite("A judge's texts and settings")
struct JudgeTextTests {
  private static let configs = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("configs/judge").path

  @Test("the shipped template keeps its braces and has the protocol's numbers")
  func shippedTemplate() throws {
    let text = try JudgeTemplate(path: "\(Self.configs)/template.txt").text(criteria: "LOOK FOR {this}")
    #expect(text.contains("LOOK FOR {this}") && text.contains("{\"score\": 57}") && !text.contains("{criteria}"))
    for part in ["0 to 60", "0 to 20", "at most 20", "70 %", "regime", "REFERENCE", "TEST"] {
      #expect(text.contains(part), "\(part)")
    }
  }

  @Test("every condition that has a category has shipped criteria, of its own and of the category")
  func shippedCriteria() throws {
    let criteria = try JudgeCriteria(directory: "\(Self.configs)/criteria")
    for condition in criteria.conditions {
      #expect(SemanticCategory(condition: condition) != nil, "\(condition)")
      let text = try criteria.text(for: condition)
      #expect(text.contains("Semantics:") && text.contains("Exclusions:"), "\(condition)")
    }
    #expect(criteria.conditions.count == 100)
    #expect(try criteria.text(for: "Earth Zoom-Out") == criteria.text(for: "earth_zoom_out"))
  }

  @Test("conditions without criteria are refused with the file to write; so are empty and repeated ones")
  func missingCriteria() throws {
    let directory = try TemporaryDirectory()
    try directory.write("Look.", to: "style/ghibli.txt")
    try directory.write("All of a kind.", to: "style/category.txt")
    try directory.write("no criteria", to: "README.md")
    let criteria = try JudgeCriteria(directory: directory.path)
    #expect(try criteria.text(for: "Ghibli") == "Look.\nAll of a kind.")
    #expect(throws: JudgeFailure.noCriteria(condition: "melt", path: "\(directory.path)/<category>/melt.txt")) {
      try criteria.text(for: "melt")
    }
    #expect(throws: JudgeFailure.noCondition) { try criteria.text(for: nil) }
    try directory.write("Again.", to: "other/GHIBLI.txt")
    #expect(throws: JudgeFailure.self) { try JudgeCriteria(directory: directory.path) }
    try directory.write(" \n", to: "other/GHIBLI.txt")
    #expect(throws: JudgeFailure.emptyCriteria(path: "\(directory.path)/other/GHIBLI.txt")) {
      try JudgeCriteria(directory: directory.path)
    }
  }

  @Test("a template must have its placeholder once", arguments: ["no place", "{criteria} and {criteria}"])
  func templates(text: String) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(text, to: "template.txt")
    #expect(throws: JudgeFailure.self) { try JudgeTemplate(path: path) }
  }

  @Test(
    "addresses that would send a key in the clear, and odd values, are refused by field",
    arguments: [
      ("http://example.com/v1", "KEY", 12, "address"), ("ftp://example.com", nil, 12, "address"),
      ("nonsense", nil, 12, "address"), ("https://example.com", "KEY", 0, "frames"),
    ])
  func settings(address: String, key: String?, frames: Int, field: String) throws {
    var settings = JudgeSettings(name: "a", dialect: .openAI, address: address, model: "m")
    settings.keyVariable = key
    settings.frames = frames
    let failure = #expect(throws: JudgeFailure.self) { try settings.validate(path: "judge.yaml") }
    #expect(failure?.message.contains("'\(field)'") == true)
    settings.address = "http://127.0.0.1:8000/v1"
    settings.frames = 4
    try settings.validate(path: "judge.yaml")
  }

  @Test("a question holds the text, the reference and the clip, small, as frames or as a video", arguments: [true, false])
  func question(asFrames: Bool) throws {
    let directory = try TemporaryDirectory()
    let clip = VideoClip(
      size: FrameSize(width: 100, height: 70), frameRate: .training,
      pixels: [UInt8](repeating: 90, count: 100 * 70 * 3 * 9))
    let reference = directory.file("reference.mkv")
    try VideoWriter.write(clip, to: reference)
    try FileManager.default.createDirectory(atPath: directory.file("clips"), withIntermediateDirectories: true)
    try VideoWriter.write(clip, to: directory.file("clips/out_4.mkv"))
    try directory.write("Before {criteria} after", to: "template.txt")
    try directory.write("look", to: "criteria/style/ghibli.txt")
    let clips = try JudgeClips(
      template: JudgeTemplate(path: directory.file("template.txt")),
      criteria: JudgeCriteria(directory: directory.file("criteria")),
      clips: ClipSource(directory: directory.file("clips")), scratch: directory.path)
    var settings = JudgeSettings(name: "a", dialect: .gemini, address: "https://example.com", model: "m")
    settings.media = asFrames ? .frames : .video
    settings.frames = 5
    settings.side = 64
    let sample = BenchmarkSample(
      row: 4, targetPath: "", targetCaption: "", referencePath: reference, referenceCaption: "", condition: "ghibli")
    let question = try clips.question(sample, settings)
    #expect(question.parts.count == (asFrames ? 13 : 5))
    guard case .text(let text) = question.parts[0], case .media(let type, let data) = question.parts[2] else {
      Issue.record("the question is out of order")
      return
    }
    #expect(text == "Before look after" && type == (asFrames ? "image/png" : "video/mp4"))
    let file = directory.file(asFrames ? "shown.png" : "shown.mp4")
    try data.write(to: URL(fileURLWithPath: file))
    #expect(try VideoReader(path: file).size == FrameSize(width: 92, height: 64))
    #expect(try settings.body(question) == settings.body(clips.question(sample, settings)))
  }
}
