import Foundation
import Runtime

/// What a run writes about itself while it goes: its log, how long steps took, TensorBoard's events, and its report.
package final class RunJournal {
  private let folder: RunFolder
  private let log: RunLog
  private let timings: RunLog
  private var events: EventFile?
  private var history = RunHistory()
  private var validations: ValidationClips

  package init(_ folder: RunFolder) throws {
    try Folder.make(folder.path)
    try Folder.make(folder.validation)
    self.folder = folder
    log = try RunLog(path: folder.log)
    timings = try RunLog(path: folder.timings)
    validations = ValidationClips(folder)
  }

  /// Goes back to what was written when a checkpoint was made; to the start if there is none.
  package func resume(after step: Int, logBytes: Int, _ observer: RunObserver) throws {
    if step == 0 { _ = try timings.truncate(to: 0) }
    if try !log.truncate(to: logBytes) {
      observer(.warning("\(log.path) ends before the checkpoint; it goes on with a gap"))
    }
    history = try RunHistory(log: log.path)
    if history.unreadableLines > 0 {
      observer(.warning("\(history.unreadableLines) lines of \(log.path) are no records; the report leaves them out"))
    }
    events = try EventFile(directory: folder.events, from: step + 1)
  }

  // MARK: - Steps

  package func append(_ record: StepRecord, _ timing: StepTiming) throws {
    try log.append(record)
    try timings.append(timing)
    history.append(record)
    var scalars = [
      (tag: "train/loss", value: record.loss), ("train/learning_rate", record.learningRate),
      ("train/samples_per_second", timing.samplesPerSecond),
    ]
    if let norm = record.gradientNorm { scalars.append(("train/gradient_norm", norm)) }
    try events?.append(scalars, step: record.step)
  }

  package var logBytes: Int { log.byteCount }

  /// Waits until the log is on disk.
  package func sync() throws { try log.sync() }

  // MARK: - Validation and report

  /// Whether a validation after this step has left its record.
  package func isValidated(_ step: Int) -> Bool {
    FileManager.default.fileExists(atPath: folder.validationRecord(step: step))
  }

  package func append(_ validation: ValidationRecord) throws {
    try validation.write(to: folder)
    validations.forget(validation.step)
    try events?.append(
      validation.metrics.sorted { $0.key < $1.key }.map { ("validation/\($0.key)", $0.value) }, step: validation.step)
  }

  /// Writes the run's page anew.
  package func writeReport(_ facts: RunFacts) throws {
    let report = TrainingReport(facts, history, try validations.entries(upTo: facts.progress.step))
    try AtomicFile.write(Data(report.text.utf8), to: folder.report)
  }
}
