import Foundation
import Media
import TestSupport

@testable import Commands

/// A `vap train` of the tests' tiny checkpoint on four clips of one condition.
struct TrainTrial {
  static let checkpoint = Fixtures.path("cogvideox-tiny/checkpoint")
  let directory: TemporaryDirectory

  /// Writes the data set.
  init() throws {
    directory = try TemporaryDirectory()
    let size = FrameSize(width: 64, height: 48)
    var rows = ["video_paths,ref_video_paths,tar_video_caption,kind,split,reference_alignment_score"]
    for index in 0..<4 {
      let pixels = (0..<9 * size.byteCount).map { UInt8(truncatingIfNeeded: $0 * (3 + index) + $0 / 501) }
      try FileManager.default.createDirectory(atPath: directory.file("data"), withIntermediateDirectories: true)
      try VideoWriter.write(
        VideoClip(size: size, frameRate: .training, pixels: pixels), to: directory.file("data/\(index).mkv"))
      rows.append("\(index).mkv,\"[\"\"\((index + 1) % 4).mkv\"\"]\",A clip \(index).,noise,train,90")
    }
    try directory.write(rows.joined(separator: "\n") + "\n", to: "data/vap_data.csv")
  }

  /// A complete command line, with `changes` replacing or removing options.
  func arguments(_ changes: [String: String?] = [:], flags: [String] = []) -> [String] {
    var options: [String: String?] = [
      "--model": Self.checkpoint, "--data": directory.file("data"), "--output": directory.file("run"),
      "--cache": directory.file("cache"), "--steps": "4", "--warmup": "1", "--learning-rate": "1e-3",
      "--save-every": "2", "--validate-every": "100",
    ]
    options.merge(changes) { $1 }
    return ["train"] + options.sorted { $0.key < $1.key }.flatMap { key, value in value.map { [key, $0] } ?? [] }
      + ["--set", "validation-steps=1"] + flags
  }

  /// In this process.
  func run(_ changes: [String: String?] = [:], flags: [String] = []) -> Int32 {
    VAPCommand.run(arguments(changes, flags: flags))
  }

  /// As a process of its own.
  func outcome(
    _ changes: [String: String?] = [:], flags: [String] = [], before: String = ""
  ) throws -> BuiltProgram.Outcome {
    try BuiltProgram.run(arguments(changes, flags: flags), before: before)
  }

  /// All files of a run but those that tell times and processes.
  func contents(_ run: String) throws -> [String: Data] {
    var found: [String: Data] = [:]
    let folder = directory.file(run)
    for name in try FileManager.default.subpathsOfDirectory(atPath: folder)
    where !["lock", "timings.jsonl", "report.html"].contains(name) && !name.hasPrefix("events/") {
      if let data = FileManager.default.contents(atPath: "\(folder)/\(name)"), !data.isEmpty { found[name] = data }
    }
    return found
  }

  /// A copy of the checkpoint with a byte in the middle of a frozen weight changed.
  func otherModel() throws -> String {
    let path = directory.file("other")
    try FileManager.default.copyItem(atPath: Self.checkpoint, toPath: path)
    let file = "\(path)/transformer/diffusion_pytorch_model.safetensors"
    var data = try Data(contentsOf: URL(fileURLWithPath: file))
    // Blocks of it are looked at, the last among them.
    data[data.count - 9] ^= 1
    try data.write(to: URL(fileURLWithPath: file))
    return path
  }
}
