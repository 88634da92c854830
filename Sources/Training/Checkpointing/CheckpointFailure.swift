import Runtime

/// A checkpoint of a run that cannot be used or written.
package enum CheckpointFailure: Failure, Equatable {
  case incomplete(path: String)
  case manifest(path: String, problem: String)
  case format(path: String, found: Int)
  case missingFile(path: String, name: String)
  case damagedFile(path: String, name: String)
  case noOptimizer(path: String)
  case optimizerTensor(path: String, name: String)
  case weight(path: String, name: String)
  case averages(path: String)
  case otherRun(path: String, differences: [String])
  case locked(path: String, owner: String)
  /// The run's folder is no longer where it was.
  case gone(path: String)

  package var category: FailureCategory {
    switch self {
    case .locked, .gone: .resources
    default: .badInput
    }
  }

  package var message: String {
    switch self {
    case .incomplete(let path): "\(path): an incomplete checkpoint without its manifest.json"
    case .manifest(let path, let problem): "\(path): \(problem)"
    case .format(let path, let found):
      "\(path): the checkpoint has format \(found); this program reads format \(CheckpointManifest.currentFormat), so "
        + "resume it with the version that wrote it, or start a new run from its weights"
    case .missingFile(let path, let name): "\(path): the checkpoint's file \(printable(name)) is missing"
    case .damagedFile(let path, let name):
      "\(path): the checkpoint's file \(printable(name)) is damaged: it does not have the checksum of its manifest"
    case .noOptimizer(let path):
      "\(path): the optimizer's state, \(CheckpointFolder.optimizerFile), is missing, and going on without it would be "
        + "another run; restore the file, or remove this folder to resume from the checkpoint before"
    case .optimizerTensor(let path, let name):
      "\(path): the optimizer's state does not fit this run at '\(printable(name))'; what trains, or the precision, has "
        + "changed"
    case .weight(let path, let name):
      "\(path): the trained weight '\(printable(name))' is missing or of another shape or type than in this run"
    case .averages(let path):
      "\(path): holds no moving averages that fit; resume with the 'ema' of the run that wrote it, or start a new run"
    case .otherRun(let path, let differences):
      "\(path): belongs to a run with other settings; give --force to go on all the same, or another output folder: "
        + differences.joined(separator: "; ")
    case .locked(let path, let owner):
      "\(path): another process (\(owner)) trains in this folder; wait for it or give another output folder"
    case .gone(let path):
      "\(path): the run's folder was moved or removed while it trained, so what it learned since its last checkpoint "
        + "is lost; start the same command again"
    }
  }
}
