/// The places of a run's files.
///
///     RUN/
///       checkpoints/step-000100/   see `CheckpointFolder`
///       validation/step-000001.mp4
///       log.jsonl                  what each step did, see `StepRecord`
///       timings.jsonl              how long it took, see `StepTiming`
///       lock
package struct RunFolder: Sendable {
  package let path: String

  package init(path: String) { self.path = path.hasSuffix("/") && path.count > 1 ? String(path.dropLast()) : path }

  package var checkpoints: String { "\(path)/checkpoints" }
  package var validation: String { "\(path)/validation" }
  package var log: String { "\(path)/log.jsonl" }
  package var timings: String { "\(path)/timings.jsonl" }
  /// What validation measured, step by step.
  package var measurements: String { "\(path)/measurements.jsonl" }
  /// Where the training of an autoencoder leaves it at its end.
  package var autoencoder: String { "\(path)/vae" }
  package var lock: String { "\(path)/lock" }

  package func makeAutoencoderFolder() throws -> String {
    try makeFolder(autoencoder)
    return autoencoder
  }
}
