import Backbones
import Checkpoints
import Compute
import Foundation
import Layers
import Tensors
import TestSupport

@testable import Training

/// The tests' tiny CogVideoX checkpoint in training on random clips.
struct TinyTraining {
  static let checkpoint = Fixtures.path("cogvideox-tiny/checkpoint")
  static let configuration = "\(checkpoint)/transformer/config.json"
  private static let geometry = ClipGeometry(height: 48, width: 64, frames: 9)

  var steps = StepSettings()
  var precision = Precision.float32
  var averageDecay: Double?
  var schedule = LearningRateSchedule(peak: 1e-3, warmUpSteps: 2, totalSteps: 100)
  var references = 1

  func model() throws -> CogVideoXTraining {
    let backbone = try CogVideoXBackbone(directory: Self.checkpoint)
    return try backbone.makeTraining(
      backbone.openWeights(), Self.geometry, faults: steps.faults, training: backbone.isPublishedTarget)
  }

  func trainer(
    on ranks: any Collective = SingleProcess(), source: (any SampleSource)? = nil, optimizer: (any Optimizer)? = nil
  ) throws -> Trainer<CogVideoXTraining> {
    try Trainer(
      model(), source: source ?? RandomClips(references: references),
      optimizer: optimizer ?? AdamW(precision: precision), schedule: schedule, settings: steps,
      averageDecay: averageDecay, collective: ranks)
  }

  func identity(_ settings: [String: String] = [:], data: String = "data") -> RunIdentity {
    RunIdentity(settings: ["learning-rate": "0.001"].merging(settings) { $1 }, data: data, model: "model")
  }

  /// Trains in a folder to a number of steps, from its latest checkpoint if there is one.
  @discardableResult
  func run(
    _ folder: String, to steps: Int, saveEvery: Int = 1000, kept: Int = 10, savesFrozen: Bool = false,
    identity: RunIdentity? = nil, isForced: Bool = false, on ranks: any Collective = SingleProcess(),
    source: (any SampleSource)? = nil, report: (String) -> Void = { _ in }
  ) throws -> Trainer<CogVideoXTraining> {
    var settings = RunSettings()
    settings.steps = steps
    settings.saveEvery = saveEvery
    settings.kept = kept
    settings.savesFrozen = savesFrozen
    settings.isForced = isForced
    var run = try TrainingRun(
      trainer(on: ranks, source: source), in: RunFolder(path: folder), settings, identity: identity ?? self.identity(),
      configuration: Self.configuration)
    try run.resume { if case .warning(let text) = $0 { report(text) } }
    try run.run({ if case .warning(let text) = $0 { report(text) } }, validate: { _ in nil })
    return run.trainer
  }
}

/// Clips of noise in the tiny model's sizes; a clip depends on its number alone.
struct RandomClips: SampleSource {
  var references = 1
  let digest = "random clips"

  func sample(at index: Int) -> TrainingSample {
    TrainingSample(
      target: clip(UInt64(index) * 8), references: (0..<references).map { clip(UInt64(index) * 8 + UInt64($0) + 1) })
  }

  func clip(_ seed: UInt64) -> EncodedClip {
    EncodedClip(tensors: [
      "video": .random([1, 32, 3, 6, 8], seed: 3 * seed), "image": .random([1, 32, 1, 6, 8], seed: 3 * seed + 1),
      "text": .random([1, 16, 32], seed: 3 * seed + 2),
    ])
  }
}

extension Trainer {
  /// The bits of all that is trained and of the optimizer's state.
  var bits: [String: [UInt8]] { snapshot.bits }
}

extension TrainingSnapshot {
  var bits: [String: [UInt8]] {
    var tensors = optimizer.tensors
    for (key, tensor) in weights { tensors["weight.\(key)"] = tensor }
    for (key, tensor) in averages ?? [:] { tensors["average.\(key)"] = tensor }
    return tensors.mapValues { tensor in
      let dense = tensor.gathered()
      return Array(UnsafeRawBufferPointer(dense.storage.bytes)[..<dense.byteCount])
    }
  }
}

/// All files below a folder by their relative names, without those that tell times and processes.
func contents(of folder: String) throws -> [String: Data] {
  var found: [String: Data] = [:]
  for name in try FileManager.default.subpathsOfDirectory(atPath: folder) {
    guard !["lock", "timings.jsonl", "report.html"].contains(name), !name.hasPrefix("events/") else { continue }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: "\(folder)/\(name)", isDirectory: &isFolder), !isFolder.boolValue
    else { continue }
    found[name] = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)"))
  }
  return found
}
