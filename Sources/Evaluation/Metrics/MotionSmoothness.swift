import Compute
import Layers
import Media
import Runtime
import Tensors

/// How well every second frame can be guessed from its neighbours (VBench's motion smoothness): 1 is perfectly.
package struct MotionSmoothness: Sendable {
  private let interpolation: AMT

  package init(_ interpolation: AMT) { self.interpolation = interpolation }

  package struct Score: Sendable, Equatable {
    /// (255 - mean error) / 255.
    package let value: Double
    /// Mean absolute difference of each scored frame from its guess, in 8-bit levels.
    package let errors: [Double]
    /// Indices of the scored frames: odd ones between two even ones.
    package let scoredFrames: [Int]
  }

  /// Throws `EvaluationFailure` for clips that are too short or too small for the network, and `Interrupted`.
  package func score(_ clip: VideoClip) throws -> Score {
    let scored = Array(stride(from: 1, to: clip.frameCount - 1, by: 2))
    guard !scored.isEmpty else {
      throw EvaluationFailure.tooFewFrames(metric: "motion smoothness", found: clip.frameCount, least: 3)
    }
    let errors = try scored.map { frame in
      try Interruption.check()
      let guess = try interpolated(clip, between: frame - 1, and: frame + 1)
      let difference = zip(clip.frame(frame), guess.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
      return Double(difference) / Double(clip.size.byteCount)
    }
    let mean = errors.reduce(0, +) / Double(errors.count)
    return Score(value: (255 - mean) / 255, errors: errors, scoredFrames: scored)
  }

  /// The guessed frame between two frames of a clip, as 8-bit values: scaled and cut, not rounded, as published.
  package func interpolated(_ clip: VideoClip, between first: Int, and second: Int) throws -> VideoClip {
    let padding = FramePadding(clip.size, multiple: 16)
    guard min(padding.paddedSize.width, padding.paddedSize.height) >= AMT.smallestSide else {
      throw EvaluationFailure.tooSmall(metric: "motion smoothness", size: clip.size, least: AMT.smallestSide - 16)
    }
    let guess = interpolation.middleFrame(
      between: padding.image(of: first, in: clip, dividedBy: 255),
      and: padding.image(of: second, in: clip, dividedBy: 255))
    let values = padding.unpadded(guess).floats()
    // A guess that is not a number counts as black.
    let pixels = values.map { $0 > 0 ? UInt8(min($0 * 255, 255)) : 0 }
    return VideoClip(size: clip.size, frameRate: clip.frameRate, pixels: pixels)
  }
}
