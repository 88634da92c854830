import Foundation
import Runtime

/// What a run writes about itself while it goes: its log, how long steps took, TensorBoard's events, and its report.
///
/// Steps are written about once a second, or when they are over if they take longer: for a small model's step, writing
/// its lines at once would be a large part of the work. A process that is killed loses lines that resuming would cut off.
package final class RunJournal {
  private let folder: RunFolder
  private let log: RunLog
  private let timings: RunLog
  private var events: EventFile?
  private var history = RunHistory()
  private var validations: ValidationClips
  /// Steps that are not written yet.
  private var pending: [Step] = []
  private var lastWriting = Date.distantPast
  private static let writingInterval = 1.0

  private struct Step {
    let record: StepRecord
    let timing: StepTiming
    let time: Date

    var scalars: [(tag: String, value: Double)] {
      [
        (tag: "train/loss", value: record.loss), ("train/learning_rate", record.learningRate),
        ("train/samples_per_second", timing.samplesPerSecond),
      ] + (record.gradientNorm.map { [("train/gradient_norm", $0)] } ?? [])
        + (record.measures ?? [:]).sorted { $0.key < $1.key }.map { ("train/\($0.key)", $0.value) }
    }
  }

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
    removeLeftovers()
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

  /// Removes half-written clips of processes that were killed; the run's lock keeps living ones away.
  private func removeLeftovers() {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.validation)) ?? []
    for name in names where name.hasPrefix(".") { unlink("\(folder.validation)/\(name)") }
  }

  // MARK: - Steps

  package func append(_ record: StepRecord, _ timing: StepTiming) throws {
    let now = Date()
    pending.append(Step(record: record, timing: timing, time: now))
    history.append(record)
    // A clock that was set back must not hold lines back.
    if !(0..<Self.writingInterval).contains(now.timeIntervalSince(lastWriting)) { try flush() }
  }

  /// Writes what is known of the steps so far.
  package func flush() throws {
    let steps = pending
    // What cannot be written once is not written twice.
    pending.removeAll(keepingCapacity: true)
    lastWriting = Date()
    guard !steps.isEmpty else { return }
    try log.append(steps.map(\.record))
    try timings.append(steps.map(\.timing))
    for step in steps { try events?.append(step.scalars, step: step.record.step, time: step.time) }
  }

  /// Writes all lines of the log and waits until they are on disk.
  ///
  /// - Returns: the log's size.
  package func sync() throws -> Int {
    try flush()
    try log.sync()
    return log.byteCount
  }

  // MARK: - Validation and report

  /// Whether a validation after this step has left its record.
  package func isValidated(_ step: Int) -> Bool {
    FileManager.default.fileExists(atPath: folder.validationRecord(step: step))
  }

  package func append(_ validation: ValidationRecord) throws {
    try flush()
    try validation.write(to: folder)
    validations.forget(validation.step)
    try events?.append(
      validation.metrics.sorted { $0.key < $1.key }.map { ("validation/\($0.key)", $0.value) }, step: validation.step)
  }

  /// Writes the run's page anew.
  package func writeReport(_ facts: RunFacts) throws {
    try flush()
    let report = TrainingReport(facts, history, try validations.entries(upTo: facts.progress.step))
    try AtomicFile.write(Data(report.text.utf8), to: folder.report)
  }
}
