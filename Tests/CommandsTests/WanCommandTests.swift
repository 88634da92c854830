import Foundation
import Media
import TestSupport
import Testing

@testable import Commands

/// Wan through the same commands as CogVideoX.
@Suite("vap with Wan checkpoints", .serialized)
struct WanCommandTests {
  private static let checkpoint = Fixtures.path("wan-tiny/checkpoint")
  private let directory: TemporaryDirectory
  private let image: String
  private let reference: String

  init() throws {
    directory = try TemporaryDirectory()
    image = directory.file("image.png")
    reference = directory.file("reference.mkv")
    func clip(_ frames: Int, _ size: FrameSize) -> VideoClip {
      VideoClip(
        size: size, frameRate: .training,
        pixels: (0..<frames * size.byteCount).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 / 501) })
    }
    try VideoWriter.write(clip(1, FrameSize(width: 70, height: 50)), to: image)
    try VideoWriter.write(clip(12, FrameSize(width: 60, height: 44)), to: reference)
  }

  private func run(model: String = Self.checkpoint, references: Int = 1, _ extra: [String] = []) -> Int32 {
    VAPCommand.run(
      ["generate", "--model", model, "--image", image, "--prompt", "more noise", "--height", "32", "--width", "48"]
        + ["--frames", "9", "--steps", "2", "--output", directory.file("out.mkv")]
        + (0..<references).flatMap { _ in ["--ref-video", reference, "--ref-prompt", "noise"] } + extra)
  }

  private var files: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []).sorted()
  }

  @Test("generate writes a video, with each sampling method of the family", arguments: [[], ["--scheduler", "euler"]])
  func generate(extra: [String]) throws {
    #expect(run(extra + ["--side-by-side"]) == 0)
    #expect(files == ["image.png", "out.mkv", "out.side-by-side.mkv", "reference.mkv"])
    let reader = try VideoReader(path: directory.file("out.mkv"))
    #expect(reader.size == FrameSize(width: 48, height: 32))
    #expect(try reader.frameCount() == 9)
  }

  @Test("the published settings are read from their file, and options win")
  func settings() throws {
    let config = URL(fileURLWithPath: Fixtures.path("")).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("configs/wan-vap.yaml").path
    #expect(run(["--config", config]) == 0)
    let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: directory.file("out.mkv"))), as: UTF8.self)
    #expect(text.contains("\"guidance\":5"))
  }

  @Test("M07: settings and parts of the other family are refused, and nothing is written")
  func otherFamily() throws {
    #expect(run(["--scheduler", "ddim"]) == 2)
    let model = directory.file("model")
    try FileManager.default.copyItem(atPath: Self.checkpoint, toPath: model)
    try FileManager.default.removeItem(atPath: "\(model)/transformer")
    try FileManager.default.copyItem(
      atPath: Fixtures.path("cogvideox-tiny/checkpoint/transformer"), toPath: "\(model)/transformer")
    #expect(run(model: model) == 3)
    #expect(VAPCommand.run(["inspect", model]) == 3)
    #expect(files == ["image.png", "model", "reference.mkv"])
  }

  @Test("M08: references for a base model, and too many for any, are refused")
  func references() throws {
    #expect(run(references: 4) == 2)
    let model = directory.file("model")
    try FileManager.default.copyItem(atPath: Self.checkpoint, toPath: model)
    let url = URL(fileURLWithPath: "\(model)/transformer/config.json")
    var fields = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
    fields["block_idx_with_mot_ref"] = [Int]()
    try JSONSerialization.data(withJSONObject: fields).write(to: url)
    #expect(run(model: model) == 3)
    #expect(run(model: model, references: 0) == 0)
  }

  @Test("inspect describes a checkpoint and reads all of its weights")
  func inspect() {
    #expect(VAPCommand.run(["inspect", Self.checkpoint, "--strict", "--references", "3"]) == 0)
    #expect(VAPCommand.run(["inspect", Self.checkpoint, "--height", "40"]) == 2)
  }

  @Test("bench knows the parts of Wan")
  func bench() {
    #expect(VAPCommand.run(["bench", "wan-decode", "--latent-frames", "0"]) == 2)
    #expect(VAPCommand.run(["bench", "wan-pixels"]) == 2)
  }
}
