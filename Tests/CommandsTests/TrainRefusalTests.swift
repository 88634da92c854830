import Foundation
import TestSupport
import Testing

@testable import Commands

/// What `vap train` and the commands that take its results refuse, and what they say.
@Suite("vap train: refusals", .serialized)
struct TrainRefusalTests {
  private let trial: TrainTrial
  private var directory: TemporaryDirectory { trial.directory }

  init() throws { trial = try TrainTrial() }

  private func expect(
    _ outcome: BuiltProgram.Outcome, _ status: Int32, _ parts: String..., location: SourceLocation = #_sourceLocation
  ) {
    #expect(outcome.status == status, "\(outcome.errors)", sourceLocation: location)
    for part in parts { #expect(outcome.errors.contains(part), "\(outcome.errors)", sourceLocation: location) }
  }

  @Test("C08: a run does not go on over other base weights, wherever equal ones lie")
  func otherWeights() throws {
    #expect(trial.run(["--steps": "2"]) == 0)
    let moved = directory.file("moved")
    try FileManager.default.copyItem(atPath: TrainTrial.checkpoint, toPath: moved)
    #expect(trial.run(["--steps": "2", "--model": moved]) == 0)
    expect(try trial.outcome(["--model": trial.otherModel()]), 3, "the model's weights differ")
    #expect(trial.run(["--model": directory.file("other")], flags: ["--force"]) == 0)
  }

  @Test("adapters are no expert, for a training, a generation and a pipeline")
  func adaptersAsExpert() throws {
    #expect(trial.run(["--steps": "2"], flags: ["--set", "train=lora"]) == 0)
    let checkpoint = directory.file("run/checkpoints/step-000002")
    let other = ["--output": directory.file("second")] as [String: String?]
    expect(
      try trial.outcome(other, flags: ["--set", "expert=\(checkpoint)"]), 3, "holds LoRA adapters",
      "pytorch_lora_weights.safetensors")
    #expect(!FileManager.default.fileExists(atPath: directory.file("second")))
    let model = ["--model", TrainTrial.checkpoint]
    expect(try BuiltProgram.run(["inspect", TrainTrial.checkpoint, "--expert", checkpoint]), 3, "--lora")
    expect(
      try BuiltProgram.run(
        ["pack"] + model + ["--transformer", "\(checkpoint)/transformer", "--output", directory.file("pack")]), 3,
      "holds LoRA adapters")
  }

  @Test("a folder without weights is no expert, and is refused before any work")
  func wrongExpert() throws {
    for folder in [directory.file("data"), directory.file("nothing"), "\(TrainTrial.checkpoint)/vae"] {
      let outcome = try trial.outcome(flags: ["--set", "expert=\(folder)"])
      #expect(outcome.status == 3 && !outcome.errors.contains("encode text"), "\(outcome.errors)")
    }
    #expect(!FileManager.default.fileExists(atPath: directory.file("run")))
  }

  @Test("a random start whose frozen part would learn nothing is refused", arguments: ["expert", "lora"])
  func frozenRandom(trained: String) throws {
    expect(
      try trial.outcome(flags: ["--set", "start=random", "--set", "train=\(trained)"]), 2, "'start'", "'train: full'")
    #expect(trial.run(["--steps": "1"], flags: ["--set", "start=random", "--set", "train=full"]) == 0)
  }

  @Test("'expert' and a random start contradict each other")
  func randomExpert() {
    let flags = ["--set", "start=random", "--set", "train=full", "--set", "expert=\(directory.file("data"))"]
    #expect(trial.run(flags: flags) == 2)
  }

  @Test("sizes that do not fit are told without names of options that the command may not have")
  func neutralMessages() throws {
    for (change, part) in [("height=50", "height and width must"), ("frames=6", "number of frames")] {
      let outcome = try trial.outcome(flags: ["--set", change])
      expect(outcome, 2, part)
      #expect(!outcome.errors.contains("--"), "\(outcome.errors)")
    }
  }

  @Test(
    "N03: a value of the command line that is unusable is told by its option, with status 2",
    arguments: [
      (["--steps", "abc"], "--steps has"), (["--set", "steps=abc"], "--set steps has"),
      (["--set", "coupling=foo"], "--set coupling has"), (["--set", "layers=[1"], "--set layers is not valid YAML"),
      (["--set", "dpo.strength=0"], "--set dpo.strength has"), (["--set", "stepz=1"], "did you mean 'steps'?"),
    ])
  func unusableOption(flags: [String], part: String) throws {
    let config = try directory.write("keep: 2\n", to: "train.yaml")
    let changes: [String: String?] = flags[0] == "--set" ? [:] : [flags[0]: flags[1]]
    let outcome = try trial.outcome(changes, flags: [config] + (changes.isEmpty ? flags : []))
    expect(outcome, 2, part)
    #expect(!outcome.errors.contains("train.yaml"))
  }

  @Test(
    "blocks that there are not, and numbers without brackets, are told in the settings' words",
    arguments: [("layers=[0,99]", "'layers' names block 99"), ("layers=0,2", "as in [0, 2]")])
  func layers(change: String, part: String) throws { expect(try trial.outcome(flags: ["--set", change]), 2, part) }

  @Test("configs/train-settings.md lists every key, once")
  func settingsReference() throws {
    let path = URL(fileURLWithPath: Fixtures.path("")).appendingPathComponent("../../configs/train-settings.md")
    let text = try String(contentsOfFile: path.standardized.path, encoding: .utf8)
    // A line's keys stand before its colon; values in parentheses and other names after it are none.
    let keys = text.split(separator: "\n").filter { $0.hasPrefix("- `") }.flatMap { line in
      let head = line.split(separator: "`: ", maxSplits: 1)[0].components(separatedBy: "): ")[0]
      return head.components(separatedBy: ", `").compactMap { part in
        part.replacingOccurrences(of: "- `", with: "").split(separator: "`").first.map(String.init)
      }
    }
    #expect(keys.sorted() == TrainSettings.keys.sorted())
  }

  @Test("N03: the same in the file has status 3 and the file's name")
  func unusableLine() throws {
    let config = try directory.write("keep: many\n", to: "train.yaml")
    expect(try trial.outcome(flags: [config]), 3, "train.yaml has an unusable value for 'keep'")
  }

  @Test(
    "N03: a value of the file that is out of range is told with the file's name, and one of an option without",
    arguments: [("keep: 0", "keep=0"), ("optimizer: sgd", "optimizer=sgd"), ("max-bad: few", "max-bad=few")])
  func unusableRange(line: String, option: String) throws {
    let name = String(option.prefix { $0 != "=" })
    let config = try directory.write("\(line)\n", to: "train.yaml")
    expect(try trial.outcome(flags: [config]), 3, "train.yaml has an unusable '\(name)': it must be")
    let outcome = try trial.outcome(flags: [config, "--set", option])
    expect(outcome, 2, name)
    #expect(!outcome.errors.contains("train.yaml"))
  }

  @Test("adapters are no part of a whole set of weights")
  func fullAdapters() throws {
    expect(try trial.outcome(flags: ["--set", "train=lora", "--set", "weights=full"]), 2, "'weights: full'")
  }

  @Test("N04: aliases, of which a few lines stand for more than memory holds, are refused at once")
  func aliases() throws {
    var lines = ["&a0 [x,x,x,x,x,x,x,x,x,x]"]
    for level in 1...8 {
      lines.append("&a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ",") + "]")
    }
    let bomb = "dpo: {strength: [\(lines.joined(separator: ",")), {? *a8 : 1, ? *a7 : 2}]}\n"
    let config = try directory.write(bomb, to: "train.yaml")
    expect(try trial.outcome(flags: [config]), 3, "uses the alias '*a0'")
    // Signs in text are no marks.
    let plain = try directory.write("condition: \"R&B *B, a * b & c\"\nkeep: 2\n", to: "plain.yaml")
    #expect(try TrainSettings(file: plain, changes: []).keep == 2)
  }

  @Test("a run's folder is neither a file nor that of a data set, a pipeline or a checkpoint")
  func folders() throws {
    let file = try directory.write("x", to: "afile")
    expect(try trial.outcome(["--output": file]), 3, "is a file already")
    expect(try trial.outcome(["--output": "\(file)/run"]), 3, "Not a directory")
    expect(try trial.outcome(["--output": directory.file("data")]), 3, "holds a data set already")
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.file("data"))
    #expect(names.count == 5)
  }

  @Test("a checkpoint or a run in place of a pipeline is told as what it is")
  func runAsModel() throws {
    #expect(trial.run(["--steps": "2"]) == 0)
    let run = directory.file("run")
    for (path, part) in [("\(run)/checkpoints/step-000002", "checkpoint of a training"), (run, "folder of a training")]
    {
      expect(try BuiltProgram.run(["inspect", path]), 3, part, "--expert", "vap pack")
    }
  }

  @Test("numbers that are none are refused", arguments: ["validation-guidance=.nan", "validation-guidance=.inf"])
  func notANumber(change: String) { #expect(trial.run(flags: ["--set", change]) == 2) }

  @Test("outputs in a file of settings are relative to the current folder, inputs to the file's")
  func relativePaths() throws {
    let config = try directory.write("output: runs/x\ndata: d\nmodel: m\nexpert: e\n", to: "configs/train.yaml")
    let settings = try TrainSettings(file: config, changes: [])
    #expect(settings.output == "runs/x")
    #expect(settings.expert == directory.file("configs/e") && settings.clips.data == directory.file("configs/d"))
  }
}
