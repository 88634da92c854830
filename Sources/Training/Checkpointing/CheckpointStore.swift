import Foundation
import Layers
import Runtime
import Tensors

/// The checkpoints of one run, in folders named by their steps.
///
/// A checkpoint is made in a temporary folder and gets its name only once every file is on disk, so a process or a machine
/// that dies at any moment leaves the earlier checkpoints as they were.
package struct CheckpointStore: Sendable {
  package let directory: String

  /// Which of the pipeline's components is trained: the folder of the weights.
  private let component: String

  package init(directory: String, component: String = "transformer") {
    self.directory = directory
    self.component = component
  }

  private static let prefix = "step-"
  private static let temporaryPrefix = ".partial-"

  /// `step-000100`; steps of more digits sort by their number, not their name.
  package static func name(step: Int) -> String { prefix + String(format: "%06d", step) }

  /// The step of which this is the name; nil for other names.
  static func step(ofName name: String) -> Int? {
    guard name.hasPrefix(prefix), let step = Int(name.dropFirst(prefix.count)), step >= 0, self.name(step: step) == name
    else { return nil }
    return step
  }

  package func path(step: Int) -> String { "\(directory)/\(Self.name(step: step))" }

  /// Steps of the folders that are named like checkpoints, falling.
  package var steps: [Int] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    return names.compactMap(Self.step(ofName:)).sorted(by: >)
  }

  // MARK: Saving

  /// Writes a checkpoint; on any failure earlier ones stay, and nothing is left under its name.
  package func save(
    _ snapshot: TrainingSnapshot, frozen: [(key: String, tensor: Tensor)], configuration: String, run: RunIdentity,
    logBytes: Int, adapters: AdapterExport? = nil
  ) throws -> CheckpointFolder {
    try Folder.make(directory)
    let name = Self.name(step: snapshot.progress.step)
    let (temporary, target) = ("\(directory)/\(Self.temporaryPrefix)\(name)", "\(directory)/\(name)")
    // Left over from a process that died.
    try? FileManager.default.removeItem(atPath: temporary)
    do {
      try Folder.make(temporary)
      try CheckpointFolder.write(
        snapshot, frozen: frozen, configuration: configuration, run: run, logBytes: logBytes, adapters: adapters,
        component: component, to: temporary)
      try AtomicFile.sync(temporary)
      // An unusable checkpoint of the same step, which resuming passed over.
      try? FileManager.default.removeItem(atPath: target)
      guard rename(temporary, target) == 0 else {
        throw FileFailure(path: target, action: "move the finished checkpoint here")
      }
      try AtomicFile.sync(directory)
    } catch {
      try? FileManager.default.removeItem(atPath: temporary)
      throw error
    }
    return try CheckpointFolder(path: target, component: component)
  }

  /// Removes temporary folders that a process which died has left; returns their names.
  package func removeLeftovers() -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    let leftovers = names.filter { $0.hasPrefix(Self.temporaryPrefix) }.sorted()
    for name in leftovers { try? FileManager.default.removeItem(atPath: "\(directory)/\(name)") }
    return leftovers
  }

  // MARK: Finding

  /// The newest checkpoint that is complete and undamaged; others are reported and passed over.
  ///
  /// Throws `CheckpointFailure.noOptimizer` and `.format` rather than pass those over: they are whole, and going back
  /// behind them unasked would lose work.
  package func newest(_ report: (String) -> Void) throws -> CheckpointFolder? {
    for step in steps {
      do {
        let folder = try CheckpointFolder(path: path(step: step), component: component)
        try folder.verify()
        return folder
      } catch let failure as CheckpointFailure {
        if case .noOptimizer = failure { throw failure }
        if case .format = failure { throw failure }
        report("\(failure.message); it is passed over")
      } catch let failure as any Failure {
        report("\(failure.message); the checkpoint is passed over")
      }
    }
    return nil
  }

  // MARK: Making room

  /// Removes all checkpoints but the newest `count` and, if asked, the one with the lowest smoothed loss.
  ///
  /// Damaged ones newer than the newest that is whole, read back from disk, are not counted and stay; without a whole
  /// one nothing is removed.
  package func prune(keeping count: Int, andBest keepsBest: Bool) throws {
    let all = steps.compactMap { try? CheckpointFolder(path: path(step: $0), component: component) }
    let folders = all.drop { (try? $0.verify()) == nil }
    guard !folders.isEmpty else { return }
    var kept = Set(folders.prefix(max(1, count)).map(\.path))
    if keepsBest, let best = folders.min(by: { Self.loss($0) < Self.loss($1) }) { kept.insert(best.path) }
    for folder in folders where !kept.contains(folder.path) {
      // First out of sight: a half removed folder must not look like a checkpoint.
      let hidden = "\(directory)/\(Self.temporaryPrefix)removed-\(folder.manifest.progress.step)"
      guard rename(folder.path, hidden) == 0 else {
        throw FileFailure(path: folder.path, action: "remove the old checkpoint")
      }
      try? FileManager.default.removeItem(atPath: hidden)
    }
  }

  private static func loss(_ folder: CheckpointFolder) -> Double {
    folder.manifest.progress.smoothedLoss ?? .infinity
  }
}
