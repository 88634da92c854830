import Checkpoints
import Foundation
import Media
import TestSupport
import Testing

@testable import Commands

/// One step of training with the settings of an ablation, and a video made with what came of it.
struct AblationTrial {
  /// The repository's settings of the paper's ablations.
  static let recipes: [String] = {
    let folder = URL(fileURLWithPath: Fixtures.path("")).appendingPathComponent("../../configs/ablations").standardized
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(".yaml") }.sorted().map { folder.appendingPathComponent($0).path }
  }()

  let directory: TemporaryDirectory
  /// A published pipeline with an expert.
  let checkpoint: String
  /// A reference video.
  let reference: String
  let frameSize: FrameSize
  let frames: Int

  /// - Parameter training: a complete `vap train` for one step into the folder `run`.
  func run(_ training: [String]) throws {
    #expect(VAPCommand.run(training) == 0)
    let trained = directory.file("run/checkpoints/step-000001")
    let lora = "\(trained)/pytorch_lora_weights.safetensors"
    guard FileManager.default.fileExists(atPath: lora) else {
      return #expect(try generate(["--expert", trained]) == 0)
    }
    guard try AblationTrial.isSingleBranch(lora) else { return #expect(try generate(["--lora", lora]) == 0) }
    // Trained without an expert: only a plain model takes it.
    #expect(try generate(["--lora", lora]) == 3)
    #expect(try generate(["--lora", lora], model: PlainCheckpoint(of: checkpoint, in: directory).path) == 0)
  }

  private static func isSingleBranch(_ lora: String) throws -> Bool {
    try SafetensorsReader(path: lora).metadata["vap.coupling"] == "in-context"
  }

  /// - Parameter model: the checkpoint if nil.
  func generate(_ extra: [String], model: String? = nil) throws -> Int32 {
    let image = directory.file("image.png")
    let pixels = (0..<frameSize.byteCount).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 / 501) }
    if !FileManager.default.fileExists(atPath: image) {
      try VideoWriter.write(VideoClip(size: frameSize, frameRate: .training, pixels: pixels), to: image)
    }
    return VAPCommand.run(
      ["generate", "--model", model ?? checkpoint, "--ref-video", reference, "--ref-prompt", "noise"]
        + ["--image", image, "--prompt", "more noise", "--steps", "1", "--overwrite"]
        + ["--height", "\(frameSize.height)", "--width", "\(frameSize.width)", "--frames", "\(frames)"]
        + ["--output", directory.file("out.mkv")] + extra)
  }
}

/// A copy of a pipeline whose transformer has no expert, neither in its configuration nor in its weights.
struct PlainCheckpoint {
  let path: String

  init(of checkpoint: String, in directory: TemporaryDirectory) throws {
    path = directory.file("plain")
    try FileManager.default.copyItem(atPath: checkpoint, toPath: path)
    let transformer = "\(path)/transformer"
    let url = URL(fileURLWithPath: "\(transformer)/config.json")
    var fields = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
    fields["block_idx_with_mot_ref"] = nil
    fields["_class_name"] = (fields["_class_name"] as? String)?.replacing("MOT", with: "")
    let store = try WeightStore(directory: transformer)
    let tensors = try store.names.filter { !$0.contains("_mot_ref") }.map {
      (name: $0, tensor: try store.tensor(named: $0))
    }
    try FileManager.default.removeItem(atPath: transformer)
    try FileManager.default.createDirectory(atPath: transformer, withIntermediateDirectories: true)
    try JSONSerialization.data(withJSONObject: fields).write(to: url)
    try SafetensorsWriter.write(tensors, to: "\(transformer)/diffusion_pytorch_model.safetensors")
  }
}
