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

  /// The step of a validation's record, by the file's name; nil for other files.
  static func validationStep(_ name: String) -> Int? {
    guard name.hasSuffix(".json") else { return nil }
    return CheckpointStore.step(ofName: String(name.dropLast(5)))
  }
}
