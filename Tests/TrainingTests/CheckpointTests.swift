import Backbones
import Checkpoints
import Foundation
import Runtime
import TestSupport
import Testing

@testable import Training

/// Checkpoints under faults (sections C01 to C16 of the catalogue of bad inputs).
@Suite("Checkpoints")
struct CheckpointTests {
  private let directory: TemporaryDirectory
  private let run: String
  private let training = TinyTraining()

  init() throws {
    directory = try TemporaryDirectory()
    run = directory.file("run")
  }

  private var store: CheckpointStore { CheckpointStore(directory: "\(run)/checkpoints") }

  private func path(_ step: Int, _ name: String = "") -> String { "\(store.path(step: step))/\(name)" }

  /// The step that resuming starts from, and what it says about others.
  private func newest() throws -> (step: Int?, reports: [String]) {
    var reports: [String] = []
    let folder = try store.newest { reports.append($0) }
    return (folder?.manifest.progress.step, reports)
  }

  /// Changes one bit of a file.
  private func flip(_ path: String, at position: Int? = nil) throws {
    var data = try Data(contentsOf: URL(fileURLWithPath: path))
    data[position ?? data.count / 2] ^= 1
    try data.write(to: URL(fileURLWithPath: path))
  }

  @Test("C06: a flipped bit in any file is found by its checksum, and the older checkpoint is used")
  func flippedBit() throws {
    try training.run(run, to: 2, saveEvery: 1)
    let names = try CheckpointFolder(path: path(2)).manifest.files.map(\.name)
    #expect(
      names == ["optimizer.safetensors", "transformer/config.json", "transformer/diffusion_pytorch_model.safetensors"])
    for name in names {
      for position in [0, nil] {
        let intact = try Data(contentsOf: URL(fileURLWithPath: path(2, name)))
        try flip(path(2, name), at: position)
        let found = try newest()
        #expect(found.step == 1, "\(name)")
        #expect(found.reports.count == 1 && found.reports[0].contains(name), "\(found.reports)")
        try intact.write(to: URL(fileURLWithPath: path(2, name)))
      }
    }
    #expect(try newest().step == 2)
  }

  @Test(
    "C06: a damaged manifest is named and passed over", arguments: ["", "{", "[]", "{\"format\": 1}", "\u{0}\u{1}"])
  func damagedManifest(text: String) throws {
    try training.run(run, to: 2, saveEvery: 1)
    try Data(text.utf8).write(to: URL(fileURLWithPath: path(2, "manifest.json")))
    let found = try newest()
    #expect(found.step == 1)
    #expect(found.reports.count == 1 && found.reports[0].contains("step-000002"), "\(found.reports)")
  }

  @Test("a manifest cannot lead out of its folder", arguments: ["../../secret", "/etc/passwd", "a/../../b", ""])
  func hostileManifest(name: String) throws {
    try training.run(run, to: 1)
    let manifest = path(1, "manifest.json")
    let text = try String(contentsOfFile: manifest, encoding: .utf8)
      .replacingOccurrences(of: "optimizer.safetensors", with: name)
    try Data(text.utf8).write(to: URL(fileURLWithPath: manifest))
    #expect(try newest().step == nil)
  }

  @Test(
    "C06: a manifest that contradicts its folder or itself is named and passed over",
    arguments: [
      ("\"step\" : 2", "\"step\" : 1"), ("\"step\" : 2", "\"step\" : 9223372036854775807"),
      ("\"skipped\" : 0", "\"skipped\" : 9223372036854775807"), ("\"skippedInRow\" : 0", "\"skippedInRow\" : 1"),
      ("optimizer.safetensors", "other.safetensors"),
    ])
  func impossibleManifest(old: String, new: String) throws {
    try training.run(run, to: 2, saveEvery: 1)
    let manifest = path(2, "manifest.json")
    let text = try String(contentsOfFile: manifest, encoding: .utf8)
    #expect(text.contains(old))
    try Data(text.replacingOccurrences(of: old, with: new).utf8).write(to: URL(fileURLWithPath: manifest))
    let found = try newest()
    #expect(found.step == 1)
    #expect(found.reports.count == 1 && found.reports[0].contains("step-000002"), "\(found.reports)")
  }

  @Test("R12: a run whose folder is moved away ends with one line and status 4")
  func gone() throws {
    var trainer: TrainingRun<CogVideoXTraining>?
    var settings = RunSettings()
    (settings.steps, settings.saveEvery) = (2, 2)
    trainer = try TrainingRun(
      training.trainer(), in: RunFolder(path: run), settings, identity: training.identity(),
      configuration: TinyTraining.configuration)
    try FileManager.default.moveItem(atPath: run, toPath: directory.file("elsewhere"))
    #expect(throws: CheckpointFailure.gone(path: run)) { try trainer?.run({ _ in }, validate: { _ in nil }) }
    #expect(CheckpointFailure.gone(path: run).category == .resources)
  }

  @Test("validations that cannot be made are told, and the run goes on; others end it after a checkpoint")
  func failingValidation() throws {
    var settings = RunSettings()
    (settings.steps, settings.saveEvery) = (3, 1000)
    var told: [String] = []
    var trainer = try TrainingRun(
      training.trainer(), in: RunFolder(path: run), settings, identity: training.identity(),
      configuration: TinyTraining.configuration)
    try trainer.resume { _ in }
    let fault = FileFailure(path: "clip.mp4", action: "open", code: ENOENT)
    try trainer.run({ if case .warning(let text) = $0 { told.append(text) } }, validate: { _ in throw fault })
    #expect(told.count == 2 && told.allSatisfy { $0.contains("clip.mp4") }, "\(told)")
    #expect(store.steps == [3])
    let other = directory.file("full")
    var full = try TrainingRun(
      training.trainer(), in: RunFolder(path: other), settings, identity: training.identity(),
      configuration: TinyTraining.configuration)
    try full.resume { _ in }
    let disk = FileFailure(path: "clip.mp4", action: "write", code: ENOSPC)
    #expect(throws: disk) { try full.run({ _ in }, validate: { _ in throw disk }) }
    #expect(CheckpointStore(directory: "\(other)/checkpoints").steps == [1])
  }

  @Test("C04: a partial folder with a higher step is ignored and named; others are not looked at")
  func partialFolder() throws {
    try training.run(run, to: 1)
    try FileManager.default.createDirectory(atPath: path(9, "transformer"), withIntermediateDirectories: true)
    try FileManager.default.createDirectory(
      atPath: "\(run)/checkpoints/step-abc", withIntermediateDirectories: true)
    let found = try newest()
    #expect(found.step == 1)
    #expect(found.reports.count == 1 && found.reports[0].contains("step-000009"), "\(found.reports)")
  }

  @Test("C04: a checkpoint of the same step that was passed over is replaced")
  func replaced() throws {
    try training.run(run, to: 2, saveEvery: 1)
    try flip(path(2, "optimizer.safetensors"))
    try training.run(run, to: 2, saveEvery: 1)
    #expect(try newest().step == 2)
    #expect(try newest().reports.isEmpty)
  }

  @Test("C01, C05: temporary folders of dead processes are removed, and the next save works")
  func leftovers() throws {
    try training.run(run, to: 1)
    let leftover = "\(run)/checkpoints/.partial-step-000002"
    try FileManager.default.createDirectory(atPath: "\(leftover)/transformer", withIntermediateDirectories: true)
    try Data("half".utf8).write(to: URL(fileURLWithPath: "\(leftover)/optimizer.safetensors"))
    var reports: [String] = []
    try training.run(run, to: 2, report: { reports.append($0) })
    #expect(reports.contains { $0.contains(".partial-step-000002") })
    #expect(!FileManager.default.fileExists(atPath: leftover))
    #expect(try newest().step == 2)
  }

  @Test("C02: whatever files a power cut leaves cut or missing, the checkpoint before is used")
  func powerCut() throws {
    try training.run(run, to: 2, saveEvery: 1)
    let manifest = try Data(contentsOf: URL(fileURLWithPath: path(2, "manifest.json")))
    for name in try CheckpointFolder(path: path(2)).manifest.files.map(\.name) + ["manifest.json"] {
      let whole = try Data(contentsOf: URL(fileURLWithPath: path(2, name)))
      for count in [0, 1, whole.count / 2, whole.count - 1] {
        try whole.prefix(count).write(to: URL(fileURLWithPath: path(2, name)))
        #expect(try newest().step == 1, "\(name) of \(count) bytes")
      }
      try whole.write(to: URL(fileURLWithPath: path(2, name)))
    }
    // The manifest is written last, so without it nothing else is believed.
    try FileManager.default.removeItem(atPath: path(2, "manifest.json"))
    #expect(try newest().step == 1)
    try manifest.write(to: URL(fileURLWithPath: path(2, "manifest.json")))
    #expect(try newest().step == 2)
  }

  @Test("C07: without its optimizer's state a checkpoint is refused, not resumed with a fresh one")
  func missingOptimizer() throws {
    try training.run(run, to: 2, saveEvery: 1)
    try FileManager.default.removeItem(atPath: path(2, "optimizer.safetensors"))
    #expect(throws: CheckpointFailure.noOptimizer(path: store.path(step: 2))) { try training.run(run, to: 3) }
    try FileManager.default.removeItem(atPath: path(2))
    #expect(try training.run(run, to: 3).progress.step == 3)
  }

  @Test("C16: another format version is refused", arguments: [0, 2, 1000])
  func otherFormat(version: Int) throws {
    try training.run(run, to: 1)
    let manifest = path(1, "manifest.json")
    let text = try String(contentsOfFile: manifest, encoding: .utf8)
      .replacingOccurrences(of: "\"format\" : 1", with: "\"format\" : \(version)")
    try Data(text.utf8).write(to: URL(fileURLWithPath: manifest))
    #expect(throws: CheckpointFailure.format(path: store.path(step: 1), found: version)) {
      try training.run(run, to: 2)
    }
  }

  @Test("C10: a second process on the same folder is refused with status 4 and the first one's number")
  func locked() throws {
    try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: true)
    let lock = try RunLock(path: "\(run)/lock")
    do {
      try withExtendedLifetime(lock) { _ = try training.run(run, to: 1) }
      Issue.record("was not refused")
    } catch let failure as CheckpointFailure {
      #expect(failure == .locked(path: run, owner: "process \(getpid())"))
      #expect(failure.category.rawValue == 4)
    }
  }

  @Test("C11: the lock file of a dead process locks nobody out", arguments: ["process 1\n", "999999", "", "\u{0}junk"])
  func staleLock(text: String) throws {
    try directory.write(text, to: "run/lock")
    #expect(try training.run(run, to: 1).progress.step == 1)
  }

  @Test("C14: the newest checkpoints and the best are kept")
  func retention() throws {
    let all = directory.file("all")
    try training.run(all, to: 5, saveEvery: 1)
    let losses = try (1...5).map { step in
      let folder = try CheckpointFolder(path: CheckpointStore(directory: "\(all)/checkpoints").path(step: step))
      return (step: step, loss: folder.manifest.progress.smoothedLoss ?? .infinity)
    }
    try training.run(run, to: 5, saveEvery: 1, kept: 2)
    let best = try #require(losses.min { $0.loss < $1.loss }).step
    #expect(Set(store.steps) == Set([4, 5, best]))
  }

  @Test("C14: damaged newest checkpoints are not counted, and nothing is removed without a whole one")
  func retentionWithDamage() throws {
    try training.run(run, to: 3, saveEvery: 1)
    try flip(path(3, "optimizer.safetensors"))
    try store.prune(keeping: 1, andBest: false)
    #expect(store.steps == [3, 2])
    #expect(try newest().step == 2)
    try flip(path(2, "optimizer.safetensors"))
    try store.prune(keeping: 1, andBest: false)
    #expect(store.steps == [3, 2])
  }

  @Test("C03: a save that fails leaves the earlier checkpoints, and nothing of its own")
  func failedSave() throws {
    let trainer = try training.run(run, to: 1)
    var snapshot = trainer.snapshot
    snapshot.progress.step = 2
    #expect(throws: (any Error).self) {
      try store.save(
        snapshot, frozen: [], configuration: "/nonexistent/config.json", run: training.identity(), logBytes: 0)
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: "\(run)/checkpoints")
    #expect(names == ["step-000001"])
    #expect(try newest().step == 1)
  }

  @Test("R01: weights that are not numbers never replace a checkpoint")
  func brokenWeights() throws {
    try training.run(run, to: 1)
    var other = training
    other.schedule = LearningRateSchedule(peak: .infinity, totalSteps: 10)
    #expect(throws: TrainingFailure.self) { try other.run(run, to: 3, isForced: true) }
    #expect(try newest().step == 1)
  }

  @Test("large weights are written in shards with an index, and read back")
  func shards() throws {
    let trainer = try training.trainer()
    let weights = trainer.snapshot.weights
    let folder = directory.file("shards")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try WeightsFolder.write(weights.map { ($0.key, $0.tensor) }, to: folder, shardBytes: 60_000)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    #expect(names.count > 3)
    #expect(names.first?.hasPrefix("diffusion_pytorch_model-00001-of-000") == true)
    let store = try WeightStore(directory: folder)
    #expect(store.names == weights.map(\.key).sorted())
    for (key, tensor) in weights { #expect(try store.tensor(named: key).floats() == tensor.floats()) }
  }
}
