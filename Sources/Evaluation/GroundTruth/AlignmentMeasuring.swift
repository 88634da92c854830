import Datasets
import Foundation
import Media
import Runtime
import Synchronization

/// Measures clips against the truth of their samples, each once for all metrics that ask for it in turn.
final class AlignmentMeasuring: Sendable {
  private struct Measured: Sendable {
    let clip: VideoClip
    let sample: BenchmarkSample
    let alignment: MiniatureAlignment
  }

  private let last = Mutex<Measured?>(nil)

  /// Throws `EvaluationFailure` if the sample's truth is not known or is not that of its target, and `Interrupted`.
  func alignment(of clip: VideoClip, _ sample: BenchmarkSample) throws -> MiniatureAlignment {
    try Interruption.check()
    if let known = last.withLock({ $0 }), known.sample == sample, known.clip == clip { return known.alignment }
    guard let truth = sample.truth else { throw EvaluationFailure.noTruth(path: sample.targetPath) }
    let alignment = MiniatureAlignment(clip, truth, try Self.format(of: sample, truth))
    last.withLock { $0 = Measured(clip: clip, sample: sample, alignment: alignment) }
    return alignment
  }

  /// Least likeness in decibels of a target video to what it was rendered from: compression leaves 30 and more, another
  /// scene 10 to 15.
  private static let leastLikeness = 20.0

  /// Size, length and rate of the data set's videos, after a look at whether the target is what the truth says.
  private static func format(of sample: BenchmarkSample, _ truth: SampleTruth) throws -> MiniatureClip.Format {
    let reader = try VideoReader(path: sample.targetPath)
    let count = try reader.frameCount()
    var format = MiniatureClip.Format()
    format.size = reader.size.width
    format.frames = count
    let video = try reader.readFrames(at: Array(0..<count))
    guard video.width == video.height,
      try FrameDifference.peakSignalToNoiseRatio(video, truth.target.render(format)) >= leastLikeness
    else { throw EvaluationFailure.otherTruth(path: sample.targetPath) }
    return format
  }
}
