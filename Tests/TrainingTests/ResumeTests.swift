import Backbones
import Checkpoints
import Compute
import Foundation
import Runtime
import TestSupport
import Testing

@testable import Training

/// Runs that stop and go on, against runs that never stopped.
@Suite("Resuming")
struct ResumeTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test(
    "C15: 2k steps are k steps, a new process, and k steps, byte for byte: weights, moments, averages, log, manifest",
    arguments: Precision.allCases)
  func bitExact(precision: Precision) throws {
    var training = TinyTraining()
    training.precision = precision
    training.averageDecay = 0.9
    training.steps.accumulation = 2
    let (whole, parts) = (directory.file("whole"), directory.file("parts"))
    try training.run(whole, to: 6, saveEvery: 3)
    try training.run(parts, to: 3, saveEvery: 3)
    try training.run(parts, to: 6, saveEvery: 3)
    let (expected, found) = (try contents(of: whole), try contents(of: parts))
    #expect(found.keys.sorted() == expected.keys.sorted())
    for (name, data) in expected { #expect(found[name] == data, "\(name)") }
    #expect(expected["log.jsonl"]?.split(separator: UInt8(ascii: "\n")).count == 6)
  }

  @Test("C15, R10: the second half on another number of threads changes no bit")
  func otherThreads() throws {
    let training = TinyTraining()
    let (whole, parts) = (directory.file("whole"), directory.file("parts"))
    try withThreads(1) {
      try training.run(whole, to: 4, saveEvery: 2)
      try training.run(parts, to: 2, saveEvery: 2)
    }
    try withThreads(2) { _ = try training.run(parts, to: 4, saveEvery: 2) }
    #expect(try contents(of: parts) == contents(of: whole))
  }

  @Test("steps after the checkpoint are made again: a process that died between saves leaves no trace")
  func lostSteps() throws {
    let training = TinyTraining()
    let (whole, parts) = (directory.file("whole"), directory.file("parts"))
    try training.run(whole, to: 4, saveEvery: 2)
    try training.run(parts, to: 3, saveEvery: 2)
    // As if it had died before its last save.
    try FileManager.default.removeItem(atPath: "\(parts)/checkpoints/step-000003")
    try training.run(parts, to: 4, saveEvery: 2)
    #expect(try contents(of: parts) == contents(of: whole))
  }

  @Test("C09: at step 0, at the last step, and past the end")
  func ends() throws {
    let training = TinyTraining()
    let run = directory.file("run")
    try training.run(run, to: 0)
    #expect(try contents(of: run).keys.sorted() == ["log.jsonl"])
    try training.run(run, to: 2, saveEvery: 1)
    let done = try contents(of: run)
    try training.run(run, to: 2, saveEvery: 1)
    #expect(try contents(of: run) == done)
    #expect(throws: TrainingFailure.pastTheEnd(step: 2, of: 1)) { try training.run(run, to: 1) }
    #expect(try contents(of: run) == done)
  }

  @Test("C13: a run whose folder was moved goes on, whatever the times of its files")
  func moved() throws {
    let training = TinyTraining()
    let (whole, parts, moved) = (directory.file("whole"), directory.file("parts"), directory.file("moved"))
    try training.run(whole, to: 4, saveEvery: 2)
    try training.run(parts, to: 2, saveEvery: 2)
    try FileManager.default.moveItem(atPath: parts, toPath: moved)
    for name in try FileManager.default.subpathsOfDirectory(atPath: moved) {
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSince1970: 4e9)], ofItemAtPath: "\(moved)/\(name)")
    }
    try training.run(moved, to: 4, saveEvery: 2)
    #expect(try contents(of: moved) == contents(of: whole))
  }

  @Test("C08, D09: other settings, data or batch are refused with what differs; --force goes on")
  func otherRun() throws {
    let training = TinyTraining()
    let run = directory.file("run")
    try training.run(run, to: 1)
    let other = training.identity(["learning-rate": "0.5", "batch": "2"], data: "edited")
    do {
      try training.run(run, to: 2, identity: other)
      Issue.record("was not refused")
    } catch let CheckpointFailure.otherRun(_, differences) {
      #expect(
        differences == ["batch was not set and is 2", "learning-rate was 0.001 and is 0.5", "the data have changed"])
    }
    #expect(try training.run(run, to: 2, identity: other, isForced: true).progress.step == 2)
  }

  @Test("C08: other weights at the start are refused; checkpoints that say nothing of them are taken")
  func otherWeights() throws {
    func identity(_ weights: String?) -> RunIdentity {
      RunIdentity(settings: [:], data: "d", model: "m", weights: weights)
    }
    #expect(identity("b").differences(from: identity("a")) == ["the model's weights differ"])
    #expect(identity("a").differences(from: identity("a")).isEmpty)
    #expect(identity("a").differences(from: identity(nil)).isEmpty)
  }

  @Test("C08: another precision does not fit the optimizer's state, even by force")
  func otherPrecision() throws {
    let run = directory.file("run")
    try TinyTraining().run(run, to: 1)
    #expect(throws: CheckpointFailure.self) {
      try TinyTraining(precision: .bfloat16).run(run, to: 2, isForced: true)
    }
  }

  @Test("a saved run loads in the reference layout: the trained keys, or all of the published checkpoint's")
  func layout() throws {
    let published = try WeightStore(directory: "\(TinyTraining.checkpoint)/transformer")
    let trainer = try TinyTraining().run(directory.file("expert"), to: 1)
    let expert = try WeightStore(directory: directory.file("expert/checkpoints/step-000001/transformer"))
    // The position table is no parameter in published code, but the base model does not have the expert's.
    let table = "patch_embed_mot_ref.pos_embedding"
    #expect(expert.names == (trainer.model.trainedParameters.map(\.key) + [table]).sorted())
    #expect(expert.names.allSatisfy { expert.shape(of: $0) == published.shape(of: $0) })

    try TinyTraining().run(directory.file("full"), to: 1, savesFrozen: true)
    let transformer = directory.file("full/checkpoints/step-000001/transformer")
    let full = try WeightStore(directory: transformer)
    #expect(full.names == published.names)
    for name in full.names {
      #expect(full.shape(of: name) == published.shape(of: name) && full.dtype(of: name) == published.dtype(of: name))
      if !expert.contains(name) {
        #expect(try full.tensor(named: name).floats() == published.tensor(named: name).floats(), "\(name)")
      }
    }
    // As one of the published pipelines.
    let pipeline = directory.file("pipeline")
    try FileManager.default.copyItem(atPath: TinyTraining.checkpoint, toPath: pipeline)
    try FileManager.default.removeItem(atPath: "\(pipeline)/transformer")
    try FileManager.default.copyItem(atPath: transformer, toPath: "\(pipeline)/transformer")
    _ = try CogVideoXBackbone(directory: pipeline).loadDenoiser { _ in }
  }
}
