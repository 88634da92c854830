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
///
/// Every rank has one. The first writes the folder; the others make the same steps, and write nothing.
package struct TrainingRun<Model: TrainingModel> {
  /// Makes and writes the clip of a validation; nil where there is none.
  package typealias Validation = (Trainer<Model>) throws -> ValidationRecord?

  package private(set) var trainer: Trainer<Model>
  package let folder: RunFolder
  private let settings: RunSettings
  private let identity: RunIdentity
  private let details: [RunDetail]
  private let configuration: String
  private let adapters: AdapterExport?
  private let store: CheckpointStore
  // Of the first rank.
  private let lock: RunLock?
  private let journal: RunJournal?
  /// Whether a step of this process changed the weights.
  private var hasTrained = false
  /// The step of the checkpoint that holds the present state.
  private var savedStep: Int?

  /// Takes possession of the folder; throws `CheckpointFailure.locked` if another process has it.
  ///
  /// - Parameters:
  ///   - configuration: path of the `config.json` of what is trained; read when a checkpoint is written.
  ///   - component: the name of what is trained among the parts of a pipeline.
  ///   - adapters: what a file of trained adapters says of itself; nil if none are trained.
  ///   - details: what the report tells of the run besides its identity.
  package init(
    _ trainer: Trainer<Model>, in folder: RunFolder, _ settings: RunSettings, identity: RunIdentity,
    configuration: String, component: String = "transformer", adapters: AdapterExport? = nil,
    details: [RunDetail] = []
  ) throws {
    (lock, journal) = try trainer.collective.together { () -> (RunLock?, RunJournal?) in
      guard trainer.collective.isFirst else { return (nil, nil) }
      try Folder.make(folder.path)
      return (try RunLock(path: folder.lock), try RunJournal(folder))
    }
    store = CheckpointStore(directory: folder.checkpoints, component: component)
    self.trainer = trainer
    self.folder = folder
    self.settings = settings
    self.identity = identity
    self.details = details
    self.configuration = configuration
    self.adapters = adapters
  }

  /// Goes back to the newest usable checkpoint, or to the start if there is none.
  ///
  /// Throws `CheckpointFailure.otherRun` if it was made with other settings or data.
  package mutating func resume(_ observer: RunObserver) throws {
    let ranks = trainer.collective
    try ranks.checkAlike(
      trainer.snapshot.weights,
      [identity.settingsDigest, identity.dataDigest, identity.modelDigest, identity.weightsDigest ?? "", "\(settings)"]
        + ["\(trainer.settings.shardsOptimizer)"])
    let found = try ranks.together { ranks.isFirst ? try findCheckpoint(observer) : nil }
    let path = try ranks.gathered(found?.path ?? "")[0]
    guard !path.isEmpty else { return }
    try ranks.together {
      try trainer.restore((found ?? CheckpointFolder(path: path)).load(), path: path)
      let step = trainer.progress.step
      guard step <= settings.steps else { throw TrainingFailure.pastTheEnd(step: step, of: settings.steps) }
      savedStep = step
      if let found { try journal?.resume(after: step, logBytes: found.manifest.logBytes, observer) }
    }
    observer(.stage("resume from \(CheckpointStore.name(step: trainer.progress.step))", units: 0))
  }

  /// The checkpoint to go on from; without one the logs are emptied.
  private func findCheckpoint(_ observer: RunObserver) throws -> CheckpointFolder? {
    for name in store.removeLeftovers() {
      observer(.warning("\(name) was left by a run that ended while it saved; it was removed"))
    }
    guard let checkpoint = try store.newest({ observer(.warning($0)) }) else {
      try journal?.resume(after: 0, logBytes: 0, observer)
      return nil
    }
    let differences = identity.differences(from: checkpoint.manifest.run)
    if !differences.isEmpty {
      guard settings.isForced else {
        throw CheckpointFailure.otherRun(path: checkpoint.path, differences: differences)
      }
      observer(.warning("going on although \(differences.joined(separator: "; "))"))
    }
    return checkpoint
  }

  /// Trains to the last step. Throws `TrainingFailure.notFinite` at the end if no step had an effect.
  ///
  /// On an interruption, of any rank, and where a validation fails for want of memory or disk, the state after the last
  /// whole step is saved before `Interrupted` goes on.
  ///
  /// - Parameter validate: called after the first step, every so many and the last, on the first rank.
  package mutating func run(_ observer: RunObserver, validate: Validation) throws {
    var meter = RateMeter(steps: settings.steps)
    do {
      // A process that ended between a checkpoint and its validation has left this to be done.
      let reached = trainer.progress.step
      if reached > 0, isValidated(after: reached), journal?.isValidated(reached) == false {
        try self.validate(meter.pace, observer, validate)
      }
      observer(.stage("train", units: settings.steps))
      while trainer.progress.step < settings.steps {
        try step(&meter, observer, validate)
      }
    } catch let interruption as Interrupted {
      if savedStep != trainer.progress.step, trainer.progress.step > 0 {
        try save(observer)
      }
      try writeReport(meter.pace)
      let step = trainer.progress.step
      throw step > 0 ? Interrupted("stopped after step \(step); the same command goes on from there") : interruption
    } catch {
      // What ended the run is told, not that its last lines cannot be written either.
      try? journal?.flush()
      throw error
    }
    if meter.pace.steps > 0 { observer(.note(meter.pace.summary)) }
    try writeReport(meter.pace)
    // A few steps may all have failed before there were too many of them.
    if meter.pace.steps > 0, !hasTrained {
      throw TrainingFailure.notFinite(step: trainer.progress.step, inRow: meter.pace.steps)
    }
  }

  private mutating func step(_ meter: inout RateMeter, _ observer: RunObserver, _ validate: Validation) throws {
    meter.beginStep()
    let record = try trainer.step()
    let timing = meter.finishStep(
      record.step, samples: trainer.batch, loadingSeconds: trainer.loadingSeconds)
    try journal?.append(record, timing)
    if let line = meter.line(record) { observer(.status(line, isLast: record.step == settings.steps)) }
    if let fault = record.skipped {
      observer(.warning("step \(record.step) had no effect: \(fault)"))
    } else {
      hasTrained = true
    }
    meter.finishLogging()
    do {
      try trainer.checkForDivergence()
    } catch {
      if savedStep != record.step { try save(observer) }
      try writeReport(meter.pace)
      throw error
    }
    if record.step % settings.saveEvery == 0 || record.step == settings.steps { try save(observer) }
    guard isValidated(after: record.step) else { return }
    do {
      try self.validate(meter.pace, observer, validate)
    } catch is Interrupted where record.step < settings.steps && trainer.collective.size > 1 {
      // The other ranks are in the next step already, where all learn of it.
    } catch let failure where !(failure is Interrupted) {
      // Other ranks would have to take part in saving.
      if savedStep != record.step, trainer.collective.size == 1 { try save(observer) }
      throw failure
    }
  }

  // MARK: - Validation and report

  private func isValidated(after step: Int) -> Bool {
    step == 1 || step % settings.validateEvery == 0 || step == settings.steps
  }

  /// On the first rank; others have nothing to show. A clip that cannot be made of its inputs does not end a run.
  private func validate(_ pace: RunPace, _ observer: RunObserver, _ validate: Validation) throws {
    guard let journal else { return }
    do {
      guard let record = try validate(trainer) else { return }
      try journal.append(record)
    } catch let failure as any Failure where failure.category == .badInput {
      observer(.warning("no validation after step \(trainer.progress.step): \(failure.message)"))
      observer(.stage("train", units: 0))
    }
    try writeReport(pace)
  }

  private func writeReport(_ pace: RunPace) throws {
    try checkFolder()
    try journal?.writeReport(
      RunFacts(
        name: folder.name, progress: trainer.progress, steps: settings.steps, identity: identity, details: details,
        bad: trainer.badItems, pace: pace))
  }

  // MARK: - Checkpoints

  /// Throws if what is written would go to a folder that nobody looks for.
  private func checkFolder() throws(CheckpointFailure) {
    guard journal == nil || FileManager.default.fileExists(atPath: folder.lock) else { throw .gone(path: folder.path) }
  }

  /// Writes a checkpoint of the present state and removes those that are not kept.
  private mutating func save(_ observer: RunObserver) throws {
    let step = trainer.progress.step
    guard let snapshot = try trainer.collectedSnapshot() else {
      savedStep = step
      return
    }
    for (key, tensor) in snapshot.weights where tensor.nonFiniteCount > 0 {
      throw TrainingFailure.brokenWeights(key: key)
    }
    try checkFolder()
    let logBytes = try journal?.sync() ?? 0
    let model = trainer.model
    let frozen = model.parameters.filter {
      !$0.isTrainable && (settings.savesFrozen || adapters == nil && model.accompaniesTrained($0.key))
    }
    let checkpoint = try store.save(
      snapshot, frozen: frozen.map { ($0.key, $0.tensor) }, configuration: configuration, run: identity,
      logBytes: logBytes, adapters: adapters)
    savedStep = step
    observer(.note("saved \(checkpoint.path)"))
    try store.prune(keeping: settings.kept, andBest: settings.keepsBest)
  }
}
