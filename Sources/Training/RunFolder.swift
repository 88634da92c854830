import Foundation
import Runtime

/// The places of a run's files.
///
///     RUN/
///       checkpoints/step-000100/   see `CheckpointFolder`
///       validation/step-000001.mp4, step-000001.json   see `ValidationRecord`
///       report.html                what the run did so far, see `TrainingReport`
///       log.jsonl                  what each step did, see `StepRecord`
///       timings.jsonl              how long it took, see `StepTiming`
///       events/                    the same for TensorBoard, see `EventFile`
///       lock
package struct RunFolder: Sendable {
  package let path: String

  package init(path: String) { self.path = path.hasSuffix("/") && path.count > 1 ? String(path.dropLast()) : path }

  package var name: String { URL(fileURLWithPath: path).lastPathComponent }
  package var checkpoints: String { "\(path)/checkpoints" }
  package var validation: String { "\(path)/validation" }
  package var report: String { "\(path)/report.html" }
  package var log: String { "\(path)/log.jsonl" }
  package var timings: String { "\(path)/timings.jsonl" }
  /// Where the training of an autoencoder leaves it at its end.
  package var autoencoder: String { "\(path)/vae" }

  package func makeAutoencoderFolder() throws -> String {
    try Folder.make(autoencoder)
    return autoencoder
  }

  package var events: String { "\(path)/events" }
  package var lock: String { "\(path)/lock" }

  package func validationClip(step: Int) -> String { "\(validation)/\(CheckpointStore.name(step: step)).mp4" }
  package func validationRecord(step: Int) -> String { "\(validation)/\(CheckpointStore.name(step: step)).json" }

  /// Throws if a file lies here, or the folder of something that is no run.
  package func checkIsFree() throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return }
    func holds(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(name)") }
    let content: String? =
      if !isFolder.boolValue {
        "is a file"
      } else if holds("vap_data.csv") || holds("benchmark.csv") {
        "holds a data set"
      } else if holds("model_index.json") {
        "holds a pipeline"
      } else if holds("manifest.json") {
        "holds a checkpoint"
      } else {
        nil
      }
    if let content { throw RunFolderFailure(path: path, content: content) }
  }

  /// The step of a validation's record, by the file's name; nil for other files.
  static func validationStep(_ name: String) -> Int? {
    guard name.hasSuffix(".json") else { return nil }
    return CheckpointStore.step(ofName: String(name.dropLast(5)))
  }
}

/// A place where no run can be kept.
package struct RunFolderFailure: Failure, Equatable {
  package let path: String
  /// What is there already.
  package let content: String

  package var category: FailureCategory { .badInput }
  package var message: String {
    "\(printable(path, limit: 1024)): \(content) already; give 'output' a folder of the run's own"
  }
}
