/// How long one step took; kept apart from the log, which is the same for every repetition of a run.
package struct StepTiming: Sendable, Codable {
  package let step: Int
  package let seconds: Double
  /// Share of the step that went into getting samples.
  package let loadingSeconds: Double
  /// What writing about the step before took; not part of the step.
  package let loggingSeconds: Double
  package let samplesPerSecond: Double

  private enum CodingKeys: String, CodingKey {
    case step, seconds
    case loadingSeconds = "loading_seconds"
    case loggingSeconds = "logging_seconds"
    case samplesPerSecond = "samples_per_second"
  }
}
