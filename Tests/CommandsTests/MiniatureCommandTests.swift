import Checkpoints
import Evaluation
import Foundation
import Media
import TestSupport
import Testing

@testable import Commands

/// The way from nothing to a miniature as scripts/train-mini.sh goes it, with two steps of each training.
@Suite("Training a miniature", .serialized)
struct MiniatureCommandTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static let configs = URL(fileURLWithPath: Fixtures.path("")).appendingPathComponent("../../configs")
    .standardized.path

  /// One training of the repository's settings, made small.
  private func train(_ config: String, _ model: String, _ run: String, _ options: [String] = []) -> Int32 {
    VAPCommand.run(
      [
        "train", "\(Self.configs)/\(config).yaml", "--model", directory.file(model), "--output", directory.file(run),
        "--steps", "2", "--accumulation", "3", "--save-every", "1", "--set",
        "miniature={size: 16, frames: 9, captions: \(config == "mini-expert" ? 0 : 0.6), scenes: 1}",
      ] + options)
  }

  private func weights(_ folder: String) throws -> WeightStore { try WeightStore(directory: directory.file(folder)) }

  @Test("init, autoencoder, backbone, expert, pack, generate; the frozen backbone keeps its bits")
  func chain() throws {
    #expect(VAPCommand.run(["init", "--output", directory.file("start"), "--size", "16", "--frames", "9"]) == 0)
    #expect(VAPCommand.run(["init", "--output", directory.file("start")]) == 2)
    #expect(train("mini-vae", "start", "vae") == 0)
    let scaling = try ConfigFile(path: directory.file("vae/vae/config.json")).contents
    guard case .object(let members) = scaling, case .number(let factor) = members["scaling_factor"] else {
      Issue.record("no scaling factor")
      return
    }
    #expect(factor != "1.0")
    let pack = ["pack", "--model", directory.file("start"), "--vae", directory.file("vae/vae"), "--output"]
    #expect(VAPCommand.run(pack + [directory.file("with-vae"), "--dtype", "float32"]) == 0)
    #expect(VAPCommand.run(pack + [directory.file("with-vae")]) == 2)
    #expect(train("mini-backbone", "with-vae", "backbone") == 0)
    let last = "checkpoints/step-000002/transformer"
    #expect(
      VAPCommand.run([
        "pack", "--model", directory.file("with-vae"), "--transformer", directory.file("backbone/\(last)"), "--output",
        directory.file("frozen"),
      ]) == 0)
    #expect(train("mini-expert", "frozen", "expert") == 0)
    #expect(
      VAPCommand.run([
        "pack", "--model", directory.file("frozen"), "--transformer", directory.file("expert/\(last)"), "--output",
        directory.file("mini"),
      ]) == 0)

    let (frozen, whole) = (try weights("frozen/transformer"), try weights("mini/transformer"))
    #expect(whole.names.count > frozen.names.count)
    for name in frozen.names {
      #expect(try whole.tensor(named: name).floats() == frozen.tensor(named: name).floats(), "\(name)")
    }
    let records = try FileManager.default.contentsOfDirectory(atPath: directory.file("expert/validation"))
    let names = ["step-000001", "step-000002"]
    #expect(records.sorted() == (["image.png", "reference.mp4"] + names.flatMap { ["\($0).json", "\($0).mp4"] }))
    for name in names.map({ "\($0).json" }) {
      let measured = try String(contentsOfFile: directory.file("expert/validation/\(name)"), encoding: .utf8)
      #expect(measured.contains("follows a wrong reference") && measured.contains("psnr"))
    }
    // Reference, target and result.
    let size = try VideoReader(path: directory.file("expert/validation/step-000002.mp4")).size
    #expect((size.width, size.height) == (3 * 192, 192))
    // The backbone learns from captions, and has no reference.
    #expect(!FileManager.default.fileExists(atPath: directory.file("backbone/validation/reference.mp4")))
    #expect(try VideoReader(path: directory.file("backbone/validation/step-000002.mp4")).size.width == 2 * 192)
    let report = try String(contentsOfFile: directory.file("expert/report.html"), encoding: .utf8)
    #expect(report.contains("one-step accuracy"))

    #expect(
      VAPCommand.run([
        "data", "synthesize", "--out", directory.file("data"), "--videos", "96", "--size", "16", "--frames", "9",
      ]) == 0)
    let video = directory.file("data/benchmark/videos/gold-0-reference.mp4")
    #expect(
      VAPCommand.run([
        "generate", "--model", directory.file("mini"), "--ref-video", video, "--ref-prompt", "A red striped star.",
        "--image", video, "--prompt", "A blue spotted ball.", "--steps", "2", "--guidance", "1", "--output",
        directory.file("out.mp4"),
      ]) == 0)
    #expect(FileManager.default.fileExists(atPath: directory.file("out.mp4")))
  }

  @Test("a miniature's training that stops goes on with the same bits")
  func resume() throws {
    #expect(VAPCommand.run(["init", "--output", directory.file("start"), "--size", "16", "--frames", "9"]) == 0)
    #expect(train("mini-backbone", "start", "whole") == 0)
    #expect(train("mini-backbone", "start", "parts", ["--steps", "1", "--set", "schedule=constant"]) == 0)
    #expect(train("mini-backbone", "start", "parts", ["--set", "schedule=constant"]) == 0)
    #expect(train("mini-backbone", "start", "straight", ["--set", "schedule=constant"]) == 0)
    func data(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: directory.file(name))) }
    for file in ["transformer/diffusion_pytorch_model.safetensors", "optimizer.safetensors"] {
      let path = "checkpoints/step-000002/\(file)"
      #expect(try data("parts/\(path)") == data("straight/\(path)"))
    }
  }

  /// The rows of scripts/reproduce-ablations.sh: a name, and what is set otherwise.
  private static func ablations() throws -> [(name: String, changes: [String])] {
    let script = try String(contentsOfFile: "\(configs)/../scripts/reproduce-ablations.sh", encoding: .utf8)
    return script.split(separator: "\n").compactMap { line in
      let parts = line.split(separator: "|", omittingEmptySubsequences: false).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      guard parts.count == 2, !parts[0].isEmpty, parts[0].allSatisfy({ $0.isLetter || $0.isNumber || $0 == "-" }) else {
        return nil
      }
      return (parts[0], parts[1].split(separator: " ").map { String($0).replacing(#/@\d+/#, with: "24") })
    }
  }

  @Test("every ablation trains from one frozen backbone, and its benchmark clip is made and scored")
  func ablationRows() throws {
    #expect(VAPCommand.run(["init", "--output", directory.file("start"), "--size", "16", "--frames", "9"]) == 0)
    #expect(
      VAPCommand.run([
        "data", "synthesize", "--out", directory.file("data"), "--videos", "48", "--group", "2", "--size", "16",
        "--frames", "9",
      ]) == 0)
    let frozen = directory.file("frozen")
    #expect(
      VAPCommand.run(["pack", "--model", directory.file("start"), "--without-expert", "--output", frozen]) == 0)
    let rows = try Self.ablations()
    #expect(rows.count == 15 && rows.first?.name == "vap")
    let published = try PublishedScores(path: "\(Self.configs)/ablations/published.csv")
    for (name, changes) in rows {
      #expect(published.scores[name]?["alignment"] != nil, "\(name)")
      let options = ["--steps", "1", "--set", "weights=trained", "--set", "miniature.pairs=48"]
      #expect(
        train("mini-expert", "frozen", name, options + changes.flatMap { ["--set", $0] }) == 0, "\(name)")
      let last = directory.file("\(name)/checkpoints/step-000001")
      let lora = "\(last)/pytorch_lora_weights.safetensors"
      let additions = FileManager.default.fileExists(atPath: lora) ? ["--lora", lora] : ["--expert", last]
      #expect(additions[0] == (name == "single-branch-lora" ? "--lora" : "--expert"))
      #expect(
        VAPCommand.run(
          [
            "eval", "--benchmark", directory.file("data"), "--model", frozen, "--rows", "5", "--steps", "1",
            "--guidance", "1", "--no-clips", "--metrics", "match-pixels", "--system", name, "--out",
            directory.file("eval/\(name)"),
          ] + additions) == 0, "\(name)")
    }
    let results = ["vap", "single-branch-lora", "addition"].map { directory.file("eval/\($0)") }
    #expect(VAPCommand.run(["eval", "table"] + results + ["--out", directory.file("table"), "--json"]) == 0)
    #expect(FileManager.default.fileExists(atPath: directory.file("table.csv")))
    #expect(VAPCommand.run(["eval", "table", results[0], results[0]]) == 2)
    // Names that would drop the comparison with what was published silently.
    let strangers = try directory.write("system,alignment\nsomebody,1\n", to: "published.csv")
    #expect(VAPCommand.run(["eval", "table"] + results + ["--published", strangers]) == 2)
    for option in ["--trend", "--published-trend"] {
      #expect(VAPCommand.run(["eval", "table"] + results + ["--published", strangers, option, "nothing"]) == 2)
    }
  }

  @Test("a pipeline without its expert is the one that the expert was made from")
  func withoutExpert() throws {
    #expect(VAPCommand.run(["init", "--output", directory.file("start"), "--size", "16", "--frames", "9"]) == 0)
    #expect(train("mini-expert", "start", "expert", ["--steps", "1", "--set", "layers=odd"]) == 0)
    func pack(_ model: String, _ name: String, _ options: [String]) -> Int32 {
      VAPCommand.run(
        ["pack", "--model", directory.file(model), "--dtype", "float32", "--output", directory.file(name)] + options)
    }
    #expect(
      pack("start", "mini", ["--transformer", directory.file("expert/checkpoints/step-000001/transformer")]) == 0)
    #expect(pack("mini", "plain", ["--without-expert"]) == 0)
    #expect(pack("start", "same", []) == 0)
    let (plain, same) = (try weights("plain/transformer"), try weights("same/transformer"))
    let whole = try weights("mini/transformer")
    #expect(plain.names == same.names && plain.names.count < whole.names.count)
    for name in plain.names {
      #expect(try plain.tensor(named: name).floats() == same.tensor(named: name).floats())
    }
    let index = try String(contentsOfFile: directory.file("plain/model_index.json"), encoding: .utf8)
    #expect(!index.contains("MOT"))
  }

  @Test(
    "settings that do not go together are refused before anything is loaded",
    arguments: [
      ["--set", "component=vea"], ["--set", "component=vae", "--set", "miniature=null"], ["--set", "references=2"],
      ["--data", "somewhere"], ["--precision", "mixed"], ["--set", "matrix-rate=-1"], ["--set", "hold=2"],
      ["--set", "batch=0"], ["--set", "miniature.pears=24"], ["--set", "miniature.pairs=1"],
      ["--set", "optimizer=sgd"], ["--model", "nowhere"],
    ])
  func refusals(options: [String]) throws {
    #expect([2, 3].contains(train("mini-backbone", "start", "run", options)))
    #expect(!FileManager.default.fileExists(atPath: directory.file("run")))
  }

  @Test("an expert without references is refused in the settings' words, before the run begins")
  func expertWithoutReferences() throws {
    #expect(VAPCommand.run(["init", "--output", directory.file("start"), "--size", "16", "--frames", "9"]) == 0)
    #expect(train("mini-expert", "start", "run", ["--set", "references=0"]) == 2)
    #expect(!FileManager.default.fileExists(atPath: directory.file("run")))
  }

  @Test("unknown and impossible keys of the miniature and of the objective are named")
  func keys() throws {
    for text in [
      "miniature: {sizes: 48}", "miniature: {pairs: 25}", "miniature: {pairs: 0}", "miniature: {size: 44}",
      "miniature: {frames: 16}", "miniature: {captions: 2}",
      "objective: {noise: 1}", "objective: {pure-noise: 2}", "objective: {level-power: 0}",
    ] {
      let file = try directory.write(text + "\n", to: "settings.yaml")
      let field = String(text.prefix { $0 != ":" })
      #expect { try TrainSettings(file: file, changes: []) } throws: {
        "\(($0 as? SettingsFailure)?.problem ?? "")".contains(field)
      }
    }
    for name in ["mini-vae", "mini-backbone", "mini-expert"] {
      let settings = try TrainSettings(file: "\(Self.configs)/\(name).yaml", changes: [])
      _ = try TrainRecipe(settings, usesManifest: false)
      #expect(settings.miniature != nil)
    }
  }
}
