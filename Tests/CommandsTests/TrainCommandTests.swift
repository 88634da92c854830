import Checkpoints
import Foundation
import Media
import TestSupport
import Testing

@testable import Commands

/// `vap train` as a user meets it: statuses and files, in process and as a process of its own.
@Suite("vap train", .serialized)
struct TrainCommandTests {
  private static let checkpoint = TrainTrial.checkpoint
  private let trial: TrainTrial
  private var directory: TemporaryDirectory { trial.directory }

  init() throws { trial = try TrainTrial() }

  private func run(_ changes: [String: String?] = [:], flags: [String] = []) -> Int32 {
    trial.run(changes, flags: flags)
  }

  private func contents(_ run: String) throws -> [String: Data] { try trial.contents(run) }

  @Test("a run leaves checkpoints, a line for each step, and clips of the first and last step")
  func files() throws {
    #expect(run() == 0)
    let files = try contents("run")
    #expect(
      files.keys.sorted() == [
        "checkpoints/step-000002/manifest.json", "checkpoints/step-000002/optimizer.safetensors",
        "checkpoints/step-000002/transformer/config.json",
        "checkpoints/step-000002/transformer/diffusion_pytorch_model.safetensors",
        "checkpoints/step-000004/manifest.json", "checkpoints/step-000004/optimizer.safetensors",
        "checkpoints/step-000004/transformer/config.json",
        "checkpoints/step-000004/transformer/diffusion_pytorch_model.safetensors", "config.json", "log.jsonl",
        "validation/step-000001.json", "validation/step-000001.mp4", "validation/step-000004.json",
        "validation/step-000004.mp4",
      ])
    let lines = try #require(files["log.jsonl"]).split(separator: UInt8(ascii: "\n"))
    #expect(lines.count == 4)
    let object = try JSONSerialization.jsonObject(with: lines[0])
    let first = try #require(object as? [String: Any])
    #expect(Set(first.keys) == ["step", "loss", "learning_rate", "gradient_norm", "samples"])
    // Reference, target and new clip.
    #expect(try VideoReader(path: directory.file("run/validation/step-000004.mp4")).size.width == 3 * 64)
  }

  @Test("every row of the paper's tables has settings that are understood")
  func ablationFiles() throws {
    #expect(AblationTrial.recipes.count == 16)
    let others = ["train-cogvideox-vap", "train-wan-vap", "train-dpo"].map { name in
      URL(fileURLWithPath: Fixtures.path("")).appendingPathComponent("../../configs/\(name).yaml").standardized.path
    }
    for path in AblationTrial.recipes + others { _ = try TrainRecipe(TrainSettings(file: path, changes: [])) }
  }

  @Test(
    "every ablation of CogVideoX trains with one command, and its result makes a video",
    arguments: AblationTrial.recipes.filter { !$0.hasSuffix("wan.yaml") && !$0.contains("data-") })
  func ablation(path: String) throws {
    let small = ["height=48", "width=64", "frames=9"].flatMap { ["--set", $0] }
    let ablation = AblationTrial(
      directory: directory, checkpoint: Self.checkpoint, reference: directory.file("data/0.mkv"),
      frameSize: FrameSize(width: 64, height: 48), frames: 9)
    try ablation.run(trial.arguments(["--steps": "1", "--save-every": "1"], flags: small) + [path])
  }

  @Test(
    "plans that contradict themselves are refused before any work",
    arguments: ["train=half", "coupling=in-context", "layers=[7]", "lora={rank: 3}", "noisy-references=0"])
  func badPlan(change: String) {
    #expect([2, 3].contains(run(flags: ["--set", change])))
    #expect(!FileManager.default.fileExists(atPath: directory.file("run/checkpoints")))
  }

  @Test("the same command again goes on to more steps, and with encoded clips from the cache to the same bytes")
  func goesOn() throws {
    #expect(run(["--output": directory.file("whole")]) == 0)
    #expect(run(["--steps": "2"]) == 0)
    #expect(run() == 0)
    // The shorter run also showed its last step.
    let (whole, parts) = (try contents("whole"), try contents("run"))
    #expect(parts.filter { !$0.key.hasPrefix("validation/step-000002") } == whole)
    #expect(run() == 0)
    #expect(run(["--steps": "3"]) == 2)
  }

  @Test("D09, C08: an edited manifest or another learning rate is refused; --force goes on")
  func otherRun() throws {
    #expect(run(["--steps": "2"]) == 0)
    #expect(run(["--learning-rate": "1e-4"]) == 3)
    let manifest = directory.file("data/vap_data.csv")
    let text = try String(contentsOfFile: manifest, encoding: .utf8)
    try directory.write(text.replacingOccurrences(of: "A clip 3", with: "Another clip"), to: "data/vap_data.csv")
    #expect(run() == 3)
    #expect(run(flags: ["--force"]) == 0)
  }

  @Test("D03: a missing video is left out within --max-bad, and ends the run beyond it")
  func missingVideo() throws {
    try FileManager.default.removeItem(atPath: directory.file("data/3.mkv"))
    #expect(run(flags: ["--set", "max-bad=1"]) == 0)
    #expect(run(["--output": directory.file("other")], flags: ["--set", "max-bad=0"]) == 3)
  }

  @Test(
    "misuse of options ends with status 2",
    arguments: [
      ["--model": nil], ["--data": nil], ["--output": nil], ["--steps": "-1"], ["--learning-rate": "2"],
      ["--precision": "float8"], ["--accumulation": "0"], ["--save-every": "0"], ["--compatibility": "all"],
      ["--threads": "0"], ["--set": "nonsense=1"], ["--set": "steps"], ["--set": "height=50"], ["--unknown": "1"],
      ["--set": "references=4"], ["--set": "ema=1"], ["--memory": "1"], ["--set": "zero=2"],
    ] as [[String: String?]])
  func misuse(changes: [String: String?]) {
    #expect(run(changes) == 2, "\(changes)")
    #expect(!FileManager.default.fileExists(atPath: directory.file("run")))
  }

  @Test("a run may go on with another number of ranks if samples of a step stay; published faults tie it to its ranks")
  func ranksInIdentity() throws {
    func identity(_ accumulation: Int, _ ranks: Int, _ compatibility: String) throws -> [String: String] {
      let settings = try TrainSettings(
        file: nil,
        changes: [
          .init("model", Self.checkpoint), .init("data", directory.file("data")),
          .init("cache", directory.file("cache")), .init("accumulation", "\(accumulation)"),
          .init("compatibility", compatibility),
        ])
      return try TrainRecipe(settings).identity(EncodeJob(settings.clips), ranks: ranks)
    }
    #expect(try identity(2, 1, "none") == identity(1, 2, "none"))
    #expect(try identity(1, 1, "none") != identity(1, 2, "none"))
    #expect(try identity(2, 1, "reference") != identity(1, 2, "reference"))
  }

  @Test("N03: unknown keys and unusable values in the file are refused", arguments: ["stepz: 3", "keep: many", "- a"])
  func badFile(text: String) throws {
    let config = try directory.write(text, to: "train.yaml")
    #expect(run(flags: [config]) == 3)
  }

  @Test("preference training draws its pairs by the manifest's scores, and its adapters make a video")
  func preference() throws {
    let manifest = directory.file("data/vap_data.csv")
    var lines = try String(contentsOfFile: manifest, encoding: .utf8).split(separator: "\n").map(String.init)
    for (index, score) in [100, 95, 5, 20].enumerated() {
      lines[1 + index] = lines[1 + index].replacingOccurrences(of: ",90", with: ",\(score)")
    }
    try directory.write(lines.joined(separator: "\n") + "\n", to: "data/vap_data.csv")
    let settings = ["train=lora", "dpo={reweight: false}"].flatMap { ["--set", $0] }
    #expect(run(["--warmup": "0"], flags: settings) == 0)
    let log = try #require(try contents("run")["log.jsonl"])
    let lines2 = log.split(separator: UInt8(ascii: "\n"))
    let first = try #require(try JSONSerialization.jsonObject(with: lines2[0]) as? [String: Any])
    #expect(abs((first["loss"] as? Double ?? 0) - log2) < 1e-6)
    let measures = try #require(first["measures"] as? [String: Double])
    #expect(measures.keys.sorted() == ["preference_accuracy", "preference_margin"])
    let page = try String(contentsOfFile: directory.file("run/report.html"), encoding: .utf8)
    #expect(page.contains("Preference accuracy, smoothed") && page.contains("Preference margin, smoothed"))
    #expect(try contents("run").keys.contains("checkpoints/step-000004/pytorch_lora_weights.safetensors"))
    // The same again goes on; other rules are another run.
    #expect(run(["--warmup": "0", "--steps": "5"], flags: settings) == 0)
    #expect(run(["--warmup": "0", "--steps": "6"], flags: ["--set", "train=lora", "--set", "dpo={}"]) == 3)
  }

  private let log2 = 0.693_147_180_559_945_3

  @Test(
    "D12: rules of preference training that cannot be used are refused",
    arguments: [
      "dpo=3", "dpo={strengh: 1}", "dpo={strength: 0}", "dpo={stages: []}", "dpo={stages: [{better: 50, worse: 50}]}",
      "dpo={stages: [{better: 90}]}", "dpo={stages: [{better: 90, worse: 10, epochs: 0}]}",
    ])
  func badPreference(setting: String) {
    #expect([2, 3].contains(run(flags: ["--set", "train=lora", "--set", setting])))
    #expect(!FileManager.default.fileExists(atPath: directory.file("run/checkpoints")))
  }

  @Test("preference training takes one reference")
  func preferenceReferences() { #expect(run(flags: ["--set", "dpo={}", "--set", "references=2"]) == 2) }

  @Test("R03: no step, one step and the largest seed are trained; a negative seed is refused")
  func extremes() throws {
    #expect(run(["--steps": "0"]) == 0)
    #expect(try contents("run")["log.jsonl"] == nil)
    #expect(run(["--steps": "1", "--seed": "18446744073709551615"]) == 0)
    #expect(try contents("run").keys.contains("validation/step-000001.mp4"))
    #expect([2, 3].contains(run(["--seed": "-1", "--output": directory.file("other")])))
    #expect([2, 3].contains(run(["--seed": "18446744073709551616", "--output": directory.file("other")])))
  }

  @Test("R04: a training that needs more memory than allowed is refused before any work")
  func memory() {
    #expect(run(["--memory": "16M"]) == 4)
    #expect(!FileManager.default.fileExists(atPath: directory.file("run/checkpoints")))
    #expect(run(["--memory": "lots"]) == 2)
    #expect(run(["--memory": "100G"]) == 0)
  }

  @Test("the report stands in the run's folder with clips, curves and what was left out")
  func report() throws {
    try FileManager.default.removeItem(atPath: directory.file("data/3.mkv"))
    #expect(run(flags: ["--set", "max-bad=1"]) == 0)
    let page = try String(contentsOfFile: directory.file("run/report.html"), encoding: .utf8)
    #expect(page.components(separatedBy: "data:video/mp4;base64,").count == 1 + 2)
    for part in [
      "Step 4 of 4", "<svg", "3.mkv", "learning-rate", "are trained", "PSNR", "save-every", "keep",
      "mixture, expert in",
      "velocity of the diffusion",
    ] {
      #expect(page.contains(part), "\(part)")
    }
    #expect(!page.contains("published, published"))
  }

  @Test("the published recipe's file is understood, and options win over it")
  func recipe() throws {
    let config = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("configs/train-cogvideox-vap.yaml").path
    #expect(
      run(
        ["--precision": "float32"],
        flags: [config, "--set", "height=48", "--set", "width=64", "--set", "frames=9"]) == 0)
    #expect(try contents("run").keys.contains("checkpoints/step-000004/manifest.json"))
  }
}

/// Runs as processes of their own, which signals can reach.
@Suite("vap train under signals", .serialized)
struct TrainSignalTests {
  private let directory: TemporaryDirectory
  private let program: String

  init() throws {
    directory = try TemporaryDirectory()
    program = try BuiltProgram.path()
    #expect(
      VAPCommand.run([
        "data", "synthesize", "--out", directory.file("data"), "--videos", "96", "--frames", "9", "--size", "64",
      ]) == 0)
  }

  /// - Parameter before: shell commands that run first.
  private func start(
    _ output: String, steps: Int, threads: Int = 2, before: String = "", standardError: FileHandle = .nullDevice
  ) throws -> Process {
    try BuiltProgram.start(
      [
        "train", "--model", Fixtures.path("cogvideox-tiny/checkpoint"), "--data", directory.file("data"),
        "--cache", directory.file("cache"), "--output", directory.file(output), "--steps", "\(steps)", "--warmup", "2",
        "--learning-rate", "1e-3", "--save-every", "2", "--validate-every", "1000", "--threads", "\(threads)",
        "--set", "validation-steps=1", "--set", "keep=3",
      ], before: before, standardError: standardError)
  }

  private func finish(_ output: String, steps: Int, threads: Int = 2) throws -> Int32 {
    let process = try start(output, steps: steps, threads: threads)
    process.waitUntilExit()
    return process.terminationStatus
  }

  private func steps(_ output: String) -> [Int] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.file("\(output)/checkpoints"))) ?? []
    return names.compactMap { $0.hasPrefix("step-") ? Int($0.dropFirst(5)) : nil }.sorted()
  }

  /// Waits until `condition` holds; false after a minute.
  private func wait(_ process: Process, until condition: () -> Bool) -> Bool {
    for _ in 0..<30_000 {
      if condition() { return true }
      if !process.isRunning { return condition() }
      usleep(2000)
    }
    return false
  }

  @Test("C01, C15, R10: killed with SIGKILL again and again, also while saving: the same bytes as never stopped")
  func killed() throws {
    #expect(try finish("whole", steps: 24) == 0)
    for round in 0..<3 {
      let process = try start("parts", steps: 24, threads: 1 + round % 2)
      let before = steps("parts").last ?? 0
      let checkpoints = directory.file("parts/checkpoints")
      // Once while a checkpoint is being written, then at some moment after one.
      _ = wait(process) {
        round == 0
          ? FileManager.default.fileExists(atPath: "\(checkpoints)/.partial-step-000004")
          : (steps("parts").last ?? 0) > before + 2
      }
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
    }
    #expect(try finish("parts", steps: 24, threads: 1) == 0)
    let (whole, parts) = (directory.file("whole"), directory.file("parts"))
    var compared = 0
    for name in try FileManager.default.subpathsOfDirectory(atPath: whole)
    where !["lock", "timings.jsonl", "report.html"].contains(name) && !name.hasPrefix("events/") {
      guard let expected = FileManager.default.contents(atPath: "\(whole)/\(name)") else { continue }
      #expect(FileManager.default.contents(atPath: "\(parts)/\(name)") == expected, "\(name)")
      compared += 1
    }
    #expect(compared > 10)
    #expect(steps("parts") == steps("whole"))
  }

  @Test(
    "C12: SIGINT, SIGTERM and the end of a terminal save the last whole step, and the status tells which it was",
    arguments: [SIGINT, SIGTERM, SIGHUP])
  func interrupted(number: Int32) throws {
    // Under `nohup` the program would be started with it ignored, and keep it so.
    let before = signal(SIGHUP, SIG_DFL)
    defer { signal(SIGHUP, before) }
    let process = try start("run", steps: 100_000)
    #expect(wait(process) { (steps("run").last ?? 0) >= 4 })
    kill(process.processIdentifier, number)
    process.waitUntilExit()
    #expect(process.terminationStatus == 128 + number)
    let saved = try #require(steps("run").last)
    let log = try String(contentsOfFile: directory.file("run/log.jsonl"), encoding: .utf8)
    #expect(log.split(separator: "\n").count == saved)
  }

  @Test("C10: a second process on the same folder ends with status 4, and the first one goes on")
  func secondProcess() throws {
    let first = try start("run", steps: 100_000)
    #expect(wait(first) { (steps("run").last ?? 0) >= 2 })
    #expect(try finish("run", steps: 100_000) == 4)
    #expect(first.isRunning)
    kill(first.processIdentifier, SIGKILL)
    first.waitUntilExit()
  }

  @Test("C03: a disk that takes no more ends the run with status 4; what was saved before stays")
  func full() throws {
    #expect(try finish("run", steps: 4) == 0)
    // In units of 1024 bytes.
    let process = try start("run", steps: 6, before: "ulimit -f 100; ")
    process.waitUntilExit()
    #expect(process.terminationStatus == 4)
    #expect(steps("run") == [2, 4])
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.file("run/checkpoints"))
    #expect(names.allSatisfy { $0.hasPrefix("step-") })
    #expect(try finish("run", steps: 6) == 0)
  }

  @Test(
    "R08, R09: without HOME and locale, and with standard output or error closed or full, a run does its work",
    arguments: [
      ("unset HOME TMPDIR; export LC_ALL=C; ", 0), ("exec >&-; ", nil), ("exec 2>&-; ", 0), ("exec >/dev/full; ", 4),
    ] as [(String, Int32?)])
  func surroundings(before: String, status: Int32?) throws {
    let process = try start("run", steps: 2, before: before)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    if let status { #expect(process.terminationStatus == status) }
    #expect(steps("run") == [2])
    #expect(FileManager.default.fileExists(atPath: directory.file("run/report.html")))
  }

  @Test("R11: ten times as many steps take no more memory")
  func soak() throws {
    /// Of "peak memory 12.3 MiB, estimated …".
    func peak(_ output: String, steps: Int) throws -> Double {
      let file = try directory.write("", to: "\(output).txt")
      let process = try start(
        output, steps: steps, standardError: try #require(FileHandle(forWritingAtPath: file)))
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
      let text = try String(contentsOfFile: file, encoding: .utf8)
      let words = try #require(text.components(separatedBy: "peak memory ").last).split(separator: " ")
      #expect(words[1].hasPrefix("MiB"))
      return try #require(Double(words[0]))
    }
    let (short, long) = (try peak("short", steps: 40), try peak("long", steps: 400))
    #expect(long < 1.03 * short + 4, "\(short) MiB, then \(long) MiB")
  }

  #if !MPI
    @Test("without MPI, processes of a parallel job are refused with one line before any work", arguments: [0, 1])
    func refusedWithoutMPI(rank: Int) throws {
      let (process, output) = (Process(), Pipe())
      process.executableURL = URL(fileURLWithPath: program)
      process.arguments = [
        "train", "--model", Fixtures.path("cogvideox-tiny/checkpoint"), "--data", directory.file("data"), "--output",
        directory.file("run"),
      ]
      process.environment = ProcessInfo.processInfo.environment.merging([
        "OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "\(rank)",
      ]) { $1 }
      process.standardError = output
      try process.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationStatus == 4)
      // The first speaks for all.
      #expect(text.split(separator: "\n").count == (rank == 0 ? 1 : 0), "\(text)")
      #expect(text.contains("--traits MPI") == (rank == 0))
      #expect(!FileManager.default.fileExists(atPath: directory.file("run")))
    }
  #endif
}
