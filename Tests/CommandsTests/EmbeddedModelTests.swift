import Datasets
import EmbeddedModels
import Evaluation
import Foundation
import Media
import Runtime
import TestSupport
import Testing

@testable import Commands

/// The model that comes with the program, as a newcomer meets it.
@Suite("The embedded model", .serialized)
struct EmbeddedModelTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func generate(_ options: [String]) -> Int32 {
    VAPCommand.run(
      [
        "generate", "--ref-video", directory.file("reference.mp4"), "--image", directory.file("image.png"),
        "--ref-prompt", "A star.", "--prompt", "A ball.", "--output", directory.file("out.mkv"),
      ] + options)
  }

  @Test("vap sample and vap generate, with nothing else: the new clip does what the reference shows, at its speed")
  func followsReference() throws {
    #expect(VAPCommand.run(["sample", directory.path, "--condition", "thermal", "--seed", "3"]) == 0)
    #expect(VAPCommand.run(["sample", directory.path]) != 0)
    #expect(generate(["--side-by-side"]) == 0)
    let stream = MiniatureStream(seed: 3)
    let truth = SampleTruth(
      target: stream.heldOutClip(scene: 0, member: 0, .thermal),
      reference: stream.heldOutClip(scene: 0, member: 1, .thermal))
    let reader = try VideoReader(path: directory.file("out.mkv"))
    #expect(reader.size == FrameSize(width: 48, height: 48))
    let clip = try reader.readFrames(at: Array(0..<17))
    #expect(clip.frameRate.value == 8)
    let alignment = MiniatureAlignment(clip, truth, MiniatureClip.Format())
    #expect(alignment.nearestByPixels == .thermal)
    #expect(abs(alignment.generatedSpeed - alignment.shownSpeed) < 0.25)
    let beside = try VideoReader(path: directory.file("out.side-by-side.mkv"))
    #expect(beside.size == FrameSize(width: 3 * 192, height: 192))
  }

  @Test("any reference and image are taken, whatever their size and length")
  func otherFiles() throws {
    let size = FrameSize(width: 90, height: 50)
    func clip(_ frames: Int) -> VideoClip {
      VideoClip(
        size: size, frameRate: .training,
        pixels: (0..<frames * size.byteCount).map { UInt8(truncatingIfNeeded: $0 / 7 + $0 / size.byteCount) })
    }
    try VideoWriter.write(clip(30), to: directory.file("reference.mp4"))
    try VideoWriter.write(clip(1), to: directory.file("image.png"))
    #expect(generate(["--model", "mini", "--steps", "2"]) == 0)
  }

  @Test("its directory is a published layout of at most 20 MB that other commands take by name")
  func layout() throws {
    let folder = try EmbeddedModel.mini.directory
    let bytes = try FileManager.default.subpathsOfDirectory(atPath: folder).reduce(0) { sum, name in
      let values = try URL(fileURLWithPath: "\(folder)/\(name)").resourceValues(forKeys: [.fileSizeKey])
      return sum + (values.fileSize ?? 0)
    }
    #expect(bytes > 1_000_000 && bytes <= 20_000_000)
    #expect(VAPCommand.run(["inspect", "mini", "--strict"]) == 0)
    let settings = try directory.write("model: mini\nimage: a.png\n", to: "settings.yaml")
    #expect(try GenerateSettings(file: settings).model == "mini")
    #expect(try GenerateSettings(file: settings).image == directory.file("a.png"))
    #expect(try PipelineName.directory("./mini") == "./mini")
  }

  @Test("configs/mini-expert.yaml trains from its backbone with nothing else said")
  func trainsAlone() throws {
    let config = "\(Fixtures.path(""))/../../configs/mini-expert.yaml"
    let settings = try TrainSettings(file: config, changes: [])
    #expect(settings.clips.model == "mini" && settings.output == "runs/mini-expert")
    let run = directory.file("run")
    #expect(
      VAPCommand.run([
        "train", config, "--output", run, "--steps", "1", "--accumulation", "2", "--set", "miniature.scenes=1",
      ]) == 0)
    #expect(FileManager.default.fileExists(atPath: "\(run)/checkpoints/step-000001/transformer/config.json"))
  }

  @Test("the demonstration leaves page, picture, inputs and results, and replaces nothing unasked")
  func demonstration() throws {
    let output = directory.file("demo")
    let command = ["demo", "--output", output, "--steps", "1"]
    // A file of somebody else.
    try directory.write("mine", to: "demo/contact-sheet.png")
    #expect(VAPCommand.run(command) == 2)
    #expect(try FileManager.default.contentsOfDirectory(atPath: output) == ["contact-sheet.png"])
    // An interrupted demonstration's own.
    try directory.write("This demonstration was not finished.", to: "demo/unfinished.txt")
    #expect(VAPCommand.run(command) == 0)
    #expect(!FileManager.default.fileExists(atPath: "\(output)/unfinished.txt"))
    let page = try String(contentsOfFile: "\(output)/index.html", encoding: .utf8)
    let videos = try FileManager.default.contentsOfDirectory(atPath: "\(output)/videos")
    #expect(videos.count > 20)
    #expect(page.components(separatedBy: "<video").count - 1 == videos.count)
    #expect(try VideoReader.readImage(path: "\(output)/contact-sheet.png").height > 500)
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(output)/inputs").count == 2 * videos.count)
    #expect(VAPCommand.run(command) == 2)
    #expect(try String(contentsOfFile: "\(output)/index.html", encoding: .utf8) == page)
  }

  @Test("a model's own advice holds where command line and settings file say nothing; other keys in it are refused")
  func advice() throws {
    let model = directory.file("model")
    try FileManager.default.createDirectory(atPath: model, withIntermediateDirectories: true)
    try directory.write("steps: 7\nguidance: 1.5\nfps: 8\nnote: small\n", to: "model/generation.yaml")
    let advised = try GenerationModel(model)
    #expect(advised.note == "small")
    var settings = GenerateSettings()
    settings.steps = 3
    settings.prompt = ""
    let request = try advised.request(settings)
    #expect(request.steps == 3)
    #expect(request.guidance == .constant(1.5))
    #expect(request.frameRate.value == 8)
    // What is given on the command line is not the file's fault.
    try directory.write("steps: 0\nguidance: 1.5\n", to: "model/generation.yaml")
    let wrong = try GenerationModel(model)
    #expect(try wrong.request(settings).steps == 3)
    settings.steps = nil
    #expect { try wrong.request(settings) } throws: {
      let failure = $0 as? SettingsFailure
      return failure?.path.hasSuffix("generation.yaml") == true && failure?.problem.contains("'steps'") == true
    }
    try directory.write("output: elsewhere.mp4\n", to: "model/generation.yaml")
    #expect { try GenerationModel(model) } throws: { "\(($0 as? SettingsFailure)?.problem ?? "")".contains("output") }
  }

  @Test("a model's note is one line of text without control characters, however long")
  func note() throws {
    let long = String(repeating: "x", count: 100_000)
    try directory.write("note: \"\\e[2Ja\\n\(long)\"\n", to: "model/generation.yaml")
    let note = try #require(try GenerationModel(directory.file("model")).note)
    #expect(note.hasPrefix("\\u{") && note.contains("[2Ja\\nx") && note.count < 600)
  }

  @Test("advice that is a link to nothing or to itself is told", arguments: ["nowhere.yaml", "generation.yaml"])
  func brokenAdvice(destination: String) throws {
    let model = directory.file("model")
    try FileManager.default.createDirectory(atPath: model, withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: "\(model)/generation.yaml", withDestinationPath: "\(model)/\(destination)")
    #expect { try GenerationModel(model) } throws: {
      let failure = $0 as? any Failure
      return failure?.category == .badInput && failure?.message.contains("generation.yaml") == true
    }
  }
}
