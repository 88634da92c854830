import Foundation
import Runtime

/// Where the time of a process's steps went; validation and checkpoints are not part of them.
package struct RunPace: Sendable, Equatable {
  package var steps = 0
  package var samples = 0
  /// Of computing, waiting and writing together.
  package var seconds = 0.0
  /// Waiting for samples.
  package var loadingSeconds = 0.0
  /// Writing about the steps.
  package var loggingSeconds = 0.0

  package init() {}

  package var samplesPerSecond: Double { Double(samples) / max(seconds, 1e-9) }
  /// 0...1
  package var loadingShare: Double { loadingSeconds / max(seconds, 1e-9) }
  package var loggingShare: Double { loggingSeconds / max(seconds, 1e-9) }

  /// `120 steps in 0:12, 9.87 samples/s; 1.3 % of the time went into data, 0.5 % into logging`
  package var summary: String {
    "\(steps) steps in \(clockText(seconds)), "
      + String(
        format: "%.3g samples/s; %.1f %% of the time went into data, %.1f %% into logging", samplesPerSecond,
        100 * loadingShare, 100 * loggingShare)
  }
}
