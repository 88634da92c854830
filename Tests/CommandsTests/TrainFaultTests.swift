import Foundation
import TestSupport
import Testing

@testable import Commands

/// Faults of a run's surroundings while it goes.
@Suite("vap train: faults", .serialized)
struct TrainFaultTests {
  private let trial: TrainTrial
  private var directory: TemporaryDirectory { trial.directory }

  init() throws { trial = try TrainTrial() }

  @Test("R09: with all standard streams closed nothing is written into the run's own files")
  func closedStreams() throws {
    for before in ["exec >&- 2>&-; ", "exec <&- >&- 2>&-; "] {
      _ = try trial.outcome(before: before)
      let lock = try String(contentsOfFile: directory.file("run/lock"), encoding: .utf8)
      #expect(lock.hasPrefix("process ") && lock.split(separator: "\n").count == 1, "\(lock)")
      let log = try String(contentsOfFile: directory.file("run/log.jsonl"), encoding: .utf8)
      #expect(log.split(separator: "\n").allSatisfy { $0.hasPrefix("{") }, "\(log)")
      try FileManager.default.removeItem(atPath: directory.file("run"))
    }
  }

  @Test("C02: a damaged newest checkpoint is passed over when later ones are saved")
  func damagedNewest() throws {
    #expect(trial.run() == 0)
    let file = directory.file("run/checkpoints/step-000004/optimizer.safetensors")
    var data = try Data(contentsOf: URL(fileURLWithPath: file))
    data[data.count / 2] ^= 1
    try data.write(to: URL(fileURLWithPath: file))
    #expect(trial.run(["--save-every": "3"]) == 0)
    #expect(trial.run(["--save-every": "3"]) == 0)
  }

  @Test("a validation whose videos are gone is told, and the run goes on")
  func validationWithoutVideos() throws {
    #expect(trial.run(["--steps": "2"]) == 0)
    for index in 0..<4 {
      try Data("nothing".utf8).write(to: URL(fileURLWithPath: directory.file("data/\(index).mkv")))
    }
    _ = try trial.outcome(["--steps": "2"])
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.file("run/checkpoints"))
    #expect(names.contains("step-000002"))
  }

  @Test("moving averages lie in a folder that generation takes as an expert, and validations use them")
  func averages() throws {
    #expect(trial.run(flags: ["--set", "ema=0.5"]) == 0)
    let folder = "checkpoints/step-000004/average"
    let files = try trial.contents("run")
    #expect(files["\(folder)/config.json"] == files["checkpoints/step-000004/transformer/config.json"])
    let weights = "diffusion_pytorch_model.safetensors"
    #expect(files["\(folder)/\(weights)"] != nil)
    #expect(files["\(folder)/\(weights)"] != files["checkpoints/step-000004/transformer/\(weights)"])
    let inspected = try BuiltProgram.run(
      ["inspect", TrainTrial.checkpoint, "--expert", directory.file("run/\(folder)"), "--height", "48", "--width"]
        + ["64", "--frames", "9"])
    #expect(inspected.status == 0, "\(inspected.errors)")
    // Going on reads them back.
    #expect(trial.run(["--steps": "6"], flags: ["--set", "ema=0.5"]) == 0)
    #expect(trial.run(["--output": directory.file("whole"), "--steps": "6"], flags: ["--set", "ema=0.5"]) == 0)
    let (whole, parts) = (try trial.contents("whole"), try trial.contents("run"))
    let last = "checkpoints/step-000006/average/\(weights)"
    #expect(whole[last] != nil && whole[last] == parts[last])
  }

  @Test("averages with all frozen weights beside them make a pipeline, and the run goes on from them")
  func packedAverages() throws {
    let flags = ["--set", "ema=0.5", "--set", "weights=full"]
    #expect(trial.run(["--steps": "2"], flags: flags) == 0)
    let status = VAPCommand.run([
      "pack", "--model", TrainTrial.checkpoint, "--transformer", directory.file("run/checkpoints/step-000002/average"),
      "--dtype", "float32", "--output", directory.file("pack"),
    ])
    #expect(status == 0)
    #expect(trial.run(flags: flags) == 0)
  }

  @Test("an interrupted run says where it stopped, and that the same command goes on")
  func interruption() throws {
    let output = Pipe()
    let process = try BuiltProgram.start(
      trial.arguments(["--steps": "100000"]), before: "", standardError: output)
    let saved = directory.file("run/checkpoints/step-000002")
    for _ in 0..<30_000 where process.isRunning && !FileManager.default.fileExists(atPath: saved) { usleep(2000) }
    kill(process.processIdentifier, SIGTERM)
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 128 + SIGTERM)
    #expect(text.contains("stopped after step ") && text.contains("the same command goes on from there"), "\(text)")
  }
}
