import Checkpoints
import Foundation
import Media
import TestSupport
import Testing

@testable import Commands

/// Wan through `vap encode` and `vap train`.
@Suite("vap train with Wan checkpoints", .serialized)
struct WanTrainCommandTests {
  private static let checkpoint = Fixtures.path("wan-tiny/checkpoint")
  private let directory: TemporaryDirectory

  /// A data set of two clips of one condition.
  init() throws {
    directory = try TemporaryDirectory()
    let size = FrameSize(width: 60, height: 44)
    try FileManager.default.createDirectory(atPath: directory.file("data"), withIntermediateDirectories: true)
    var rows = ["video_paths,ref_video_paths,tar_video_caption,kind,split,reference_alignment_score"]
    for index in 0..<2 {
      let pixels = (0..<5 * size.byteCount).map { UInt8(truncatingIfNeeded: $0 * (3 + index) + $0 / 501) }
      try VideoWriter.write(
        VideoClip(size: size, frameRate: .training, pixels: pixels), to: directory.file("data/\(index).mkv"))
      rows.append("\(index).mkv,\"[\"\"\((index + 1) % 2).mkv\"\"]\",A clip &amp; \(index).,noise,train,90")
    }
    try directory.write(rows.joined(separator: "\n") + "\n", to: "data/vap_data.csv")
  }

  private func arguments(
    _ output: String, steps: Int = 2, _ settings: [String] = [], model: String = Self.checkpoint
  ) -> [String] {
    let fixed = [
      "height=32", "width=48", "frames=5", "validation-steps=1", "mask-caption-ratio=0", "warmup=0",
      "save-every=\(steps)",
    ]
    return ["train", "--model", model, "--data", directory.file("data"), "--cache", directory.file("cache")]
      + ["--output", directory.file(output), "--steps", "\(steps)", "--learning-rate", "1e-3"]
      + (fixed + settings).flatMap { ["--set", $0] }
  }

  private func run(_ output: String, _ settings: [String] = [], model: String = Self.checkpoint) -> Int32 {
    VAPCommand.run(arguments(output, settings, model: model))
  }

  private func losses(_ output: String) throws -> [Double] {
    struct Line: Decodable { let loss: Double }
    return try String(contentsOfFile: directory.file("\(output)/log.jsonl"), encoding: .utf8).split(separator: "\n").map
    {
      try JSONDecoder().decode(Line.self, from: Data($0.utf8)).loss
    }
  }

  @Test("a run trains on encoded clips, and its settings decide the noise levels")
  func train() throws {
    #expect(run("run") == 0)
    let losses = try losses("run")
    #expect(losses.count == 2 && losses.allSatisfy { $0.isFinite && $0 > 0 })
    #expect(run("same") == 0)
    #expect(try self.losses("same") == losses)
    #expect(run("uniform", ["sigma-distribution=uniform"]) == 0)
    #expect(try self.losses("uniform") != losses)
    #expect(run("paper", ["sigma-min=1e-5", "sigma-shift=3"]) == 0)
    #expect(try self.losses("paper") != losses)
  }

  private var trial: AblationTrial {
    AblationTrial(
      directory: directory, checkpoint: Self.checkpoint, reference: directory.file("data/0.mkv"),
      frameSize: FrameSize(width: 48, height: 32), frames: 5)
  }

  @Test(
    "every ablation trains Wan with one command, and its result makes a video",
    arguments: AblationTrial.recipes.filter { !$0.contains("data-") })
  func ablation(path: String) throws { try trial.run(arguments("run", steps: 1) + [path]) }

  @Test(
    "so does every other choice of what is trained, and of its start",
    arguments: [
      ["layers=all"], ["layers=even", "start=base"], ["layers=[1, 3]", "position-design=discrete"],
      ["train=lora", "lora={rank: 2, alpha: 3, targets: [to_q, net.2, add_k_proj]}"], ["train=full"],
      ["train=lora", "coupling=cross-attention"], ["noisy-references=3", "layers=[0, 2]"],
    ])
  func choice(settings: [String]) throws { try trial.run(arguments("run", steps: 1, settings)) }

  @Test("a plain model gets an expert, which is used over it", arguments: ["every-4th", "even", "all"])
  func plainStart(layers: String) throws {
    let plain = try PlainCheckpoint(of: Self.checkpoint, in: directory).path
    #expect(VAPCommand.run(arguments("run", steps: 1, ["layers=\(layers)"], model: plain)) == 0)
    let trained = directory.file("run/checkpoints/step-000001")
    let blocks = Set(
      try WeightStore(directory: "\(trained)/transformer").names
        .filter { $0.hasPrefix("blocks.") && $0.contains("_mot_ref") }.map { $0.split(separator: ".")[1] })
    #expect(blocks == (layers == "all" ? ["0", "1", "2", "3", "4"] : layers == "even" ? ["1", "3"] : ["0", "4"]))
    #expect(VAPCommand.run(["inspect", plain]) == 0)
    #expect(try trial.generate(["--expert", trained], model: plain) == 0)
  }

  @Test("a LoRA file has the keys of diffusers, which loads it")
  func adapterKeys() throws {
    #expect(run("run", ["train=lora", "coupling=in-context"]) == 0)
    let found = try SafetensorsReader(
      path: directory.file("run/checkpoints/step-000002/pytorch_lora_weights.safetensors"))
    let published = try SafetensorsReader(path: Fixtures.path("wan-couplings/pytorch_lora_weights.safetensors"))
    #expect(found.names.sorted() == published.names.sorted())
    for name in found.names {
      let (own, other) = (try #require(found.shape(of: name)), try #require(published.shape(of: name)))
      // Another rank: the axis of rank is the first of A and the second of B.
      let axis = name.hasSuffix("lora_A.weight") ? 1 : 0
      #expect(own[axis] == other[axis] && own[1 - axis] == 32)
    }
    #expect(Set(found.metadata.keys).isSuperset(of: published.metadata.keys))
  }

  @Test("encoding fills the cache that training reads")
  func encode() throws {
    let arguments = [
      "encode", "--model", Self.checkpoint, "--data", directory.file("data"), "--cache", directory.file("cache"),
      "--height", "32", "--width", "48", "--frames", "5",
    ]
    #expect(VAPCommand.run(arguments) == 0)
    let files = FileManager.default.enumerator(atPath: directory.file("cache"))?.allObjects.count ?? 0
    #expect(files >= 4)
    #expect(run("run") == 0)
    #expect(FileManager.default.enumerator(atPath: directory.file("cache"))?.allObjects.count == files)
    // Captions and pictures of published training are others.
    #expect(VAPCommand.run(arguments + ["--compatibility", "reference"]) == 0)
    #expect(FileManager.default.enumerator(atPath: directory.file("cache"))?.allObjects.count ?? 0 > files)
  }

  @Test(
    "noise levels that cannot be used end with status 2",
    arguments: [
      ["sigma-distribution=normal"], ["sigma-mean=100"], ["sigma-deviation=-1"], ["sigma-shift=0"], ["sigma-min=1"],
      ["sigma-distribution=uniform", "sigma-mean=0"],
    ])
  func misuse(settings: [String]) { #expect(run("run", settings) == 2) }

  @Test("noise levels of flow matching are refused for a model that has others")
  func otherFamily() {
    #expect(
      run(
        "run", ["sigma-shift=3", "height=48", "width=64", "frames=9"], model: Fixtures.path("cogvideox-tiny/checkpoint")
      )
        == 2)
  }
}
