import Backbones
import Checkpoints
import Foundation
import Layers
import Runtime
import Tensors

/// How long a run goes, and what it does on the way.
package struct RunSettings: Sendable {
  package var steps = 20_000
  package var saveEvery = 1000
  /// Checkpoints to keep besides the best.
  package var kept = 2
  package var keepsBest = true
  /// Whether checkpoints hold the frozen weights too, so that the published pipelines load them as they are.
  package var savesFrozen = false
  package var validateEvery = 100
  /// Whether a checkpoint of a run with other settings is gone on from.
  package var isForced = false

  package init() {}
}

/// A training from its start or its latest checkpoint to its end, in a folder of its own.
package struct TrainingRun<Model: TrainingModel> {
  package private(set) var trainer: Trainer<Model>
  package let folder: RunFolder
  private let settings: RunSettings
  private let identity: RunIdentity
  private let configuration: String
  private let adapters: AdapterExport?
  private let store: CheckpointStore
  private let lock: RunLock
  private let log: RunLog
  private let timings: RunLog
  /// The step of the checkpoint that holds the present state.
  private var savedStep: Int?

  /// Takes possession of the folder; throws `CheckpointFailure.locked` if another process has it.
  ///
  /// - Parameters:
  ///   - configuration: path of the `config.json` of what is trained; read when a checkpoint is written.
  ///   - component: the name of what is trained among the parts of a pipeline.
  ///   - adapters: what a file of trained adapters says of itself; nil if none are trained.
  package init(
    _ trainer: Trainer<Model>, in folder: RunFolder, _ settings: RunSettings, identity: RunIdentity,
    configuration: String, component: String = "transformer", adapters: AdapterExport? = nil
  ) throws {
    try makeFolder(folder.path)
    try makeFolder(folder.validation)
    lock = try RunLock(path: folder.lock)
    log = try RunLog(path: folder.log)
    timings = try RunLog(path: folder.timings)
    store = CheckpointStore(directory: folder.checkpoints, component: component)
    self.trainer = trainer
    self.folder = folder
    self.settings = settings
    self.identity = identity
    self.configuration = configuration
    self.adapters = adapters
  }

  /// Goes back to the newest usable checkpoint, or to the start if there is none.
  ///
  /// Throws `CheckpointFailure.otherRun` if it was made with other settings or data.
  package mutating func resume(_ observer: RunObserver) throws {
    for name in store.removeLeftovers() {
      observer(.warning("\(name) was left by a run that ended while it saved; it was removed"))
    }
    guard let checkpoint = try store.newest({ observer(.warning($0)) }) else {
      _ = try log.truncate(to: 0)
      _ = try timings.truncate(to: 0)
      return
    }
    let differences = identity.differences(from: checkpoint.manifest.run)
    if !differences.isEmpty {
      guard settings.isForced else {
        throw CheckpointFailure.otherRun(path: checkpoint.path, differences: differences)
      }
      observer(.warning("going on although \(differences.joined(separator: "; "))"))
    }
    try trainer.restore(checkpoint.load(), path: checkpoint.path)
    let step = trainer.progress.step
    guard step <= settings.steps else { throw TrainingFailure.pastTheEnd(step: step, of: settings.steps) }
    if try !log.truncate(to: checkpoint.manifest.logBytes) {
      observer(.warning("\(log.path) ends before the checkpoint; it goes on with a gap"))
    }
    savedStep = step
    observer(.stage("resume from \(CheckpointStore.name(step: step))", units: 0))
  }

  /// Trains to the last step.
  ///
  /// On an interruption the state after the last whole step is saved before `Interrupted` goes on.
  ///
  /// - Parameter validate: called after the first step, every so many and the last.
  package mutating func run(
    _ observer: RunObserver, validate: (Trainer<Model>) throws -> Void
  ) throws {
    var meter = RateMeter(steps: settings.steps)
    observer(.stage("train", units: settings.steps))
    do {
      while trainer.progress.step < settings.steps {
        try Interruption.check()
        try step(&meter, observer, validate)
      }
    } catch let interruption as Interrupted {
      if savedStep != trainer.progress.step, trainer.progress.step > 0 {
        try save(observer)
      }
      throw interruption
    }
  }

  private mutating func step(
    _ meter: inout RateMeter, _ observer: RunObserver, _ validate: (Trainer<Model>) throws -> Void
  ) throws {
    meter.beginStep()
    let record = try trainer.step()
    let isLast = record.step == settings.steps
    let timing = meter.finishStep(
      record.step, samples: trainer.batch, loadingSeconds: trainer.loadingSeconds)
    try log.append(record)
    try timings.append(timing)
    observer(.status(meter.line(record), isLast: isLast))
    if let fault = record.skipped { observer(.warning("step \(record.step) had no effect: \(fault)")) }
    do {
      try trainer.checkForDivergence()
    } catch {
      if savedStep != record.step { try save(observer) }
      throw error
    }
    if record.step % settings.saveEvery == 0 || isLast { try save(observer) }
    if record.step == 1 || record.step % settings.validateEvery == 0 || isLast { try validate(trainer) }
  }

  /// Writes a checkpoint of the present state and removes those that are not kept.
  private mutating func save(_ observer: RunObserver) throws {
    let snapshot = trainer.snapshot
    for (key, tensor) in snapshot.weights where tensor.nonFiniteCount > 0 {
      throw TrainingFailure.brokenWeights(key: key)
    }
    try log.sync()
    let frozen = settings.savesFrozen ? trainer.model.parameters.filter { !$0.isTrainable } : []
    let checkpoint = try store.save(
      snapshot, frozen: frozen.map { ($0.key, $0.tensor) }, configuration: configuration, run: identity,
      logBytes: log.byteCount, adapters: adapters)
    savedStep = snapshot.progress.step
    observer(.note("saved \(checkpoint.path)"))
    try store.prune(keeping: settings.kept, andBest: settings.keepsBest)
  }
}
