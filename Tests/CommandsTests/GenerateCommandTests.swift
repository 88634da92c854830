import Checkpoints
import Foundation
import Media
import TestSupport
import Testing

@testable import Commands

/// The command line as a user meets it: statuses and files, in process.
@Suite("vap generate", .serialized)
struct GenerateCommandTests {
  private static let checkpoint = Fixtures.path("cogvideox-tiny/checkpoint")
  private let directory: TemporaryDirectory
  private let image: String
  private let reference: String

  init() throws {
    directory = try TemporaryDirectory()
    image = directory.file("image.png")
    reference = directory.file("reference.mkv")
    let size = FrameSize(width: 64, height: 48)
    func clip(_ frames: Int) -> VideoClip {
      VideoClip(
        size: size, frameRate: .training,
        pixels: (0..<frames * size.byteCount).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 / 501) })
    }
    try VideoWriter.write(clip(1), to: image)
    try VideoWriter.write(clip(12), to: reference)
  }

  /// A complete command line, with `changes` replacing or removing options.
  private func run(_ changes: [String: String?] = [:], flags: [String] = []) -> Int32 {
    var options: [String: String?] = [
      "--model": Self.checkpoint, "--ref-video": reference, "--ref-prompt": "noise", "--image": image,
      "--prompt": "more noise", "--steps": "2", "--output": directory.file("out.mkv"),
    ]
    options.merge(changes) { $1 }
    let arguments = options.sorted { $0.key < $1.key }.flatMap { key, value in value.map { [key, $0] } ?? [] }
    return VAPCommand.run(["generate"] + arguments + flags)
  }

  private var files: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []).sorted()
  }

  @Test("a run writes the video and nothing else, with its settings in the metadata")
  func writesVideo() throws {
    #expect(run() == 0)
    #expect(files == ["image.png", "out.mkv", "reference.mkv"])
    let reader = try VideoReader(path: directory.file("out.mkv"))
    #expect(reader.size == FrameSize(width: 64, height: 48))
    #expect(try reader.frameCount() == 9)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: directory.file("out.mkv")))
    #expect(String(decoding: bytes, as: UTF8.self).contains("\"prompt\":\"more noise\""))
  }

  @Test("--no-metadata keeps the settings out of the file")
  func withoutMetadata() throws {
    #expect(run(flags: ["--no-metadata"]) == 0)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: directory.file("out.mkv")))
    #expect(!String(decoding: bytes, as: UTF8.self).contains("more noise"))
  }

  @Test("the same settings give the same bytes", arguments: ["out.mp4", "out.mkv", "out.gif"])
  func sameBytes(name: String) throws {
    let path = directory.file(name)
    #expect(run(["--output": path, "--threads": "1"]) == 0)
    let first = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(run(["--output": path, "--threads": "2"], flags: ["--overwrite"]) == 0)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == first)
  }

  @Test("V17: an existing output is kept unless --overwrite is given")
  func existingOutput() throws {
    try directory.write("precious", to: "out.mkv")
    #expect(run() == 3 || run() == 2)
    #expect(try String(contentsOfFile: directory.file("out.mkv"), encoding: .utf8) == "precious")
    #expect(run(flags: ["--overwrite"]) == 0)
  }

  @Test("nothing is lost: outputs replace neither each other, nor inputs, nor files of other names")
  func nothingIsLost() throws {
    try directory.write("precious", to: "out.latents.safetensors")
    #expect(run() == 0)
    #expect(try String(contentsOfFile: directory.file("out.latents.safetensors"), encoding: .utf8) == "precious")
    #expect(run(["--output": reference], flags: ["--overwrite"]) == 2)
    #expect(run(["--save-latents": directory.file("out.mkv")], flags: ["--overwrite"]) == 2)
    #expect(
      run(["--output": directory.file("b.mkv"), "--save-latents": directory.file("out.latents.safetensors")]) == 2)
    #expect(files == ["image.png", "out.latents.safetensors", "out.mkv", "reference.mkv"])
  }

  @Test("M07: a pipeline of another class is refused")
  func otherPipeline() throws {
    let model = directory.file("model")
    try FileManager.default.copyItem(atPath: Self.checkpoint, toPath: model)
    try Data(#"{"_class_name": "StableDiffusionPipeline"}"#.utf8).write(
      to: URL(fileURLWithPath: "\(model)/model_index.json"))
    #expect(run(["--model": model]) == 3)
    try Data(#"{"_class_name": "WanImageToVideoPipeline"}"#.utf8).write(
      to: URL(fileURLWithPath: "\(model)/model_index.json"))
    #expect(run(["--model": model]) == 3)
  }

  @Test("--lora changes the video, by its factor; what does not fit is refused")
  func adapters() throws {
    let file = Fixtures.path("couplings/pytorch_lora_weights.safetensors")
    #expect(run() == 0)
    func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: directory.file(name))) }
    #expect(run(["--lora": file, "--output": directory.file("a.mkv")], flags: ["--no-metadata"]) == 0)
    #expect(run(["--lora": "\(file):0", "--output": directory.file("b.mkv")], flags: ["--no-metadata"]) == 0)
    #expect(run(["--output": directory.file("c.mkv")], flags: ["--no-metadata"]) == 0)
    #expect(try bytes("b.mkv") == bytes("c.mkv"))
    #expect(try bytes("a.mkv") != bytes("c.mkv"))
    #expect(run(["--lora": "\(file):much", "--output": directory.file("d.mkv")]) == 2)
    #expect(run(["--lora": directory.file("none.safetensors"), "--output": directory.file("d.mkv")]) == 3)
    #expect(run(["--lora": "\(Self.checkpoint)/transformer/diffusion_pytorch_model.safetensors"]) == 3)
    #expect(run(["--expert": directory.path, "--output": directory.file("d.mkv")]) == 3)
    #expect(VAPCommand.run(["inspect", file]) == 0)
    #expect(VAPCommand.run(["inspect", Self.checkpoint, "--lora", file, "--frames", "9"]) == 0)
  }

  @Test("--side-by-side and --save-latents write their files beside the output")
  func extraFiles() throws {
    #expect(run(["--save-latents": directory.file("l.safetensors")], flags: ["--side-by-side"]) == 0)
    #expect(files == ["image.png", "l.safetensors", "out.mkv", "out.side-by-side.mkv", "reference.mkv"])
    let joined = try VideoReader(path: directory.file("out.side-by-side.mkv"))
    #expect(joined.size == FrameSize(width: 4 * 3 * 64, height: 4 * 48), "enlarged, to be looked at")
    let again = directory.file("again.mkv")
    #expect(
      run([
        "--latents": directory.file("l.safetensors"), "--output": again, "--image": nil, "--ref-video": nil,
        "--ref-prompt": nil, "--prompt": nil,
      ]) == 0)
    let (first, second) = (try VideoReader(path: directory.file("out.mkv")), try VideoReader(path: again))
    #expect(try first.readFrames(at: Array(0..<9)) == second.readFrames(at: Array(0..<9)))
  }

  @Test(
    "misuse of options ends with status 2 and no file",
    arguments: [
      ["--model": ""], ["--prompt": nil], ["--image": nil], ["--ref-prompt": nil], ["--ref-video": nil],
      ["--height": "50"], ["--height": "64"], ["--height": "-16"], ["--width": "0"], ["--frames": "10"],
      ["--frames": "0"], ["--steps": "0"], ["--steps": "1001"], ["--steps": "two"], ["--guidance": "nan"],
      ["--guidance": "-1"], ["--guidance": "1e9"], ["--seed": "-1"], ["--fps": "0"], ["--fps": "1000000"],
      ["--scheduler": "magic"], ["--scheduler": "euler"], ["--frame-selection": "best"], ["--memory": "much"],
      ["--memory": "-1G"], ["--threads": "0"], ["--crf": "52"], ["--unknown": "1"],
    ] as [[String: String?]])
  func misuse(changes: [String: String?]) {
    #expect(run(changes) == 2, "\(changes)")
    #expect(files == ["image.png", "reference.mkv"])
  }

  @Test(
    "bad inputs end with status 3 and no file",
    arguments: [
      ["--model": "/nonexistent"], ["--image": "/nonexistent.png"], ["--ref-video": "/nonexistent.mp4"],
      ["--ref-video": "/dev/zero"], ["--config": "/nonexistent.yaml"], ["--latents": "/nonexistent.safetensors"],
    ] as [[String: String?]])
  func badInput(changes: [String: String?]) {
    #expect(run(changes) == 3, "\(changes)")
    #expect(files == ["image.png", "reference.mkv"])
  }

  @Test("resources that are not there end with status 4: memory, and a folder that cannot be written")
  func resources() {
    #expect(run(["--memory": "1M"]) == 4)
    #expect(run(["--output": "/proc/out.mkv"]) != 0)
    #expect(files == ["image.png", "reference.mkv"])
  }

  @Test("settings from a file, overridden by options; paths are relative to the file")
  func settingsFile() throws {
    let config = try directory.write(
      """
      model: \(Self.checkpoint)
      ref-video: [reference.mkv]
      ref-prompt: [noise]
      image: image.png
      prompt: from the file
      steps: 1000
      guidance: 3
      """, to: "settings.yaml")
    let output = directory.file("file.mkv")
    #expect(VAPCommand.run(["generate", "--config", config, "--steps", "2", "--output", output]) == 0)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: output))
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(text.contains("\"steps\":2"))
    #expect(text.contains("from the file"))
  }

  @Test(
    "N03: unknown keys, wrong types and text that is not YAML are refused with the key",
    arguments: [
      "stepz: 3", "steps: many", "- a\n- b", "prompt: [1", "ref-video: {a: b}", "crf: 99", "guidance: .nan",
    ])
  func badSettings(text: String) throws {
    let config = try directory.write(text, to: "settings.yaml")
    #expect(run(["--config": config]) == 3)
  }

  @Test("sizes of memory are read with their units")
  func byteCounts() {
    #expect(parseByteCount("8G") == 8 << 30)
    #expect(parseByteCount("1.5GiB") == 3 << 29)
    #expect(parseByteCount("512m") == 512 << 20)
    #expect(parseByteCount("100") == 100)
    for text in ["", "G", "8X", "-1G", "1e5", "9999999999999G"] { #expect(parseByteCount(text) == nil, "\(text)") }
  }
}

@Suite("vap")
struct ProgramTests {
  @Test("help and unknown commands have their statuses")
  func statuses() {
    #expect(VAPCommand.run(["--help"]) == 0)
    #expect(VAPCommand.run(["generate", "--help"]) == 0)
    #expect(VAPCommand.run(["generat"]) == 2)
    #expect(VAPCommand.run(["verify"]) == 2)
    #expect(VAPCommand.run(["verify", "/nonexistent"]) == 3)
    #expect(VAPCommand.run(["inspect", "/nonexistent"]) == 3)
  }

  @Test("inspect describes a checkpoint and refuses one that does not fit")
  func inspect() {
    #expect(VAPCommand.run(["inspect", Fixtures.path("cogvideox-tiny/checkpoint"), "--strict"]) == 0)
    #expect(VAPCommand.run(["inspect", Fixtures.path("cogvideox-tiny")]) == 3)
  }
}
