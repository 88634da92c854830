import Compute
import Foundation
import Layers
import Media
import Runtime
import Tensors

/// Whether a clip moves, by optical flow (VBench's dynamic degree).
///
/// The clip is thinned to about 8 frames a second; a pair of neighbouring frames moves if the fastest twentieth of its
/// pixels moves further, on average, than a threshold; the clip moves if a quarter as many pairs do as it has frames.
package struct DynamicDegree: Sendable {
  private let flow: RAFT

  package init(_ flow: RAFT) { self.flow = flow }

  package struct Score: Sendable, Equatable {
    package let isDynamic: Bool
    /// Mean speed of the fastest pixels of each pair, in pixels.
    package let pairScores: [Float]
    package let threshold: Double
    /// Pairs that must move.
    package let neededCount: Int
    /// Distance of sampled frames.
    package let interval: Int
    package let sampledFrames: Int
  }

  /// Throws `EvaluationFailure` for frames too small for the network, and `Interrupted`.
  package func score(_ clip: VideoClip) throws -> Score {
    let interval = Self.interval(frameRate: clip.frameRate.value)
    let frames = Array(stride(from: 0, to: clip.frameCount, by: interval))
    let padding = FramePadding(clip.size, multiple: 8)
    let side = min(padding.paddedSize.width, padding.paddedSize.height)
    guard side >= RAFT.smallestSide else {
      throw EvaluationFailure.tooSmall(metric: "dynamic degree", size: clip.size, least: RAFT.smallestSide - 8)
    }
    var pairScores: [Float] = []
    var previous: (image: Tensor, features: Tensor)?
    for frame in frames {
      try Interruption.check()
      let image = padding.image(of: frame, in: clip)
      let features = flow.matchingFeatures(of: image)
      if let previous {
        pairScores.append(Self.speed(flow.flow(from: previous.image, features: previous.features, to: features)))
      }
      previous = (image, features)
    }
    let threshold = Self.threshold(clip.size)
    let needed = Self.neededCount(sampledFrames: frames.count)
    return Score(
      isDynamic: Self.moves(pairScores.map(Double.init), threshold: threshold, neededCount: needed),
      pairScores: pairScores, threshold: threshold, neededCount: needed, interval: interval,
      sampledFrames: frames.count)
  }

  /// max(1, fps / 8 rounded half to even).
  package static func interval(frameRate: Double) -> Int { max(1, Int((frameRate / 8).rounded(.toNearestOrEven))) }

  /// 6 pixels at 256 pixels of the shorter side.
  package static func threshold(_ size: FrameSize) -> Double { 6 * Double(min(size.width, size.height)) / 256 }

  /// A quarter of the sampled frames, rounded half to even.
  package static func neededCount(sampledFrames: Int) -> Int {
    Int((4 * (Double(sampledFrames) / 16)).rounded(.toNearestOrEven))
  }

  /// The number of pixels that are a twentieth of a plane, rounded down.
  package static func fastestCount(_ size: FrameSize) -> Int { Int(Double(size.pixelCount) * 0.05) }

  /// Walks the pairs and asks after each whether enough have moved: so a needed count of 0 is met by the first pair
  /// whatever its score, and a clip without pairs does not move, as published.
  package static func moves(_ pairScores: [Double], threshold: Double, neededCount: Int) -> Bool {
    var count = 0
    for score in pairScores {
      if score > threshold { count += 1 }
      if count >= neededCount { return true }
    }
    return false
  }

  /// The mean speed of the fastest pixels, padding included as published.
  ///
  /// - Parameter flow: `[1, H, W, 2]`.
  static func speed(_ flow: Tensor) -> Float {
    let values = flow.floats()
    let squares = (0..<values.count / 2).map { pixel -> Float in
      let (x, y) = (values[2 * pixel], values[2 * pixel + 1])
      return x * x + y * y
    }
    let count = fastestCount(FrameSize(width: flow.shape[2], height: flow.shape[1]))
    guard count > 0 else { return .nan }
    let sum = squares.sorted(by: >).prefix(count).reduce(0) { $0 + Double($1.squareRoot()) }
    return Float(sum / Double(count))
  }
}
