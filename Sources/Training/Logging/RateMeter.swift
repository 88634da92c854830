import Dispatch
import Foundation
import Runtime

/// Measures the pace of a run and puts its state into one line.
struct RateMeter {
  private let steps: Int
  private var start = DispatchTime.now().uptimeNanoseconds
  /// Mean of the latest steps' seconds, each new one with the share `stepShare`.
  private var smoothedSeconds: Double?
  private var samplesPerSecond = 0.0
  private var loggingSeconds = 0.0
  private(set) var pace = RunPace()

  private static let stepShare = 0.1
  /// When a line was last given, in nanoseconds.
  private var lineTime: UInt64 = 0
  /// Nobody reads lines that follow each other faster; small models make hundreds of steps a second.
  private static let lineInterval: UInt64 = 100_000_000

  init(steps: Int) { self.steps = steps }

  mutating func beginStep() { start = DispatchTime.now().uptimeNanoseconds }

  mutating func finishStep(_ step: Int, samples: Int, loadingSeconds: Double) -> StepTiming {
    let seconds = lap()
    let smoothed = smoothedSeconds.map { $0 + Self.stepShare * (seconds - $0) } ?? seconds
    smoothedSeconds = smoothed
    samplesPerSecond = Double(samples) / max(smoothed, 1e-9)
    pace.steps += 1
    pace.samples += samples
    pace.seconds += seconds
    pace.loadingSeconds += loadingSeconds
    return StepTiming(
      step: step, seconds: seconds, loadingSeconds: loadingSeconds, loggingSeconds: loggingSeconds,
      samplesPerSecond: Double(samples) / max(seconds, 1e-9))
  }

  /// Call once everything about the step is written.
  mutating func finishLogging() {
    loggingSeconds = lap()
    pace.seconds += loggingSeconds
    pace.loggingSeconds += loggingSeconds
  }

  /// Seconds since the last call, or since the step began.
  private mutating func lap() -> Double {
    let now = DispatchTime.now().uptimeNanoseconds
    defer { start = now }
    return Double(now - start) / 1e9
  }

  /// `train 12/100  loss 1.2345  lr 1.0e-05  gradient 0.071  3.21 samples/s  0:27 left`; nil if the last one was given
  /// just before, unless this is the last step.
  mutating func line(_ record: StepRecord) -> String? {
    let now = DispatchTime.now().uptimeNanoseconds
    guard record.step == steps || now - lineTime >= Self.lineInterval else { return nil }
    lineTime = now
    let norm = record.gradientNorm.map { String(format: "%.3g", $0) } ?? "-"
    let left = clockText(Double(steps - record.step) * (smoothedSeconds ?? 0))
    return String(
      format: "train %d/%d  loss %.4f  lr %.2g  gradient %@  %.3g samples/s  %@ left", record.step, steps,
      record.loss, record.learningRate, norm, samplesPerSecond, left)
  }
}
