import Compute
import Datasets
import Foundation
import Media
import Synchronization

/// How far a clip does what its reference shows, measured on what each condition of the miniature world would have made of
/// the same scene.
///
/// Two distances say which condition a clip is taken for: the mean squared error of its pixels, and the angle between its
/// changes since the first frame and theirs. The clip's speed is that of the most similar of 21 renderings under the right
/// condition.
package struct MiniatureAlignment: Sendable, Equatable {
  package let conditions: [MiniatureCondition]
  /// Mean squared errors of pixel values in 0...1, by conditions.
  package let errors: [Double]
  /// Cosines of the changes, by conditions; 0 where nothing changes.
  package let cosines: [Double]
  /// Place of the reference's condition.
  package let expected: Int
  package let shownSpeed: Double
  package let generatedSpeed: Double

  /// The range of speeds in the data.
  private static let speeds: [Float] = (0...20).map { 0.6 + 0.04 * Float($0) }

  /// - Parameters:
  ///   - clip: of any size and length; renderings are thinned and resized as targets are.
  ///   - format: of the data set's videos.
  package init(_ clip: VideoClip, _ truth: SampleTruth, _ format: MiniatureClip.Format) {
    let (condition, speed) = (truth.reference.condition, truth.reference.timing.speed)
    let conditions = truth.conditions
    let candidates =
      conditions.map { truth.clip($0, speed: speed) } + Self.speeds.map { truth.clip(condition, speed: $0) }
    let results = Mutex([Comparison](repeating: Comparison(error: 0, cosine: 0), count: candidates.count))
    // Renderings are compared and dropped one by one: all of them together may not fit in memory.
    Workers.forEach(candidates.count) { place in
      let comparison = Comparison(clip, candidates[place].render(format).like(clip))
      results.withLock { $0[place] = comparison }
    }
    let comparisons = results.withLock { $0 }
    self.conditions = conditions
    errors = comparisons.prefix(conditions.count).map(\.error)
    cosines = comparisons.prefix(conditions.count).map(\.cosine)
    expected = conditions.firstIndex(of: condition) ?? 0
    shownSpeed = Double(speed)
    let nearest = zip(Self.speeds, comparisons.dropFirst(conditions.count)).min { $0.1.error < $1.1.error }
    generatedSpeed = Double(nearest?.0 ?? speed)
  }

  /// The condition that the clip is taken for by its pixels; nil if two are equally near.
  package var nearestByPixels: MiniatureCondition? { Self.best(conditions, errors.map { -$0 }) }

  /// The condition that the clip is taken for by its changes; nil if two are equally near, as for a clip without changes.
  package var nearestByChange: MiniatureCondition? { Self.best(conditions, cosines) }

  private static func best(_ conditions: [MiniatureCondition], _ values: [Double]) -> MiniatureCondition? {
    guard let most = values.max(), values.count(where: { $0 == most }) == 1 else { return nil }
    return values.firstIndex(of: most).map { conditions[$0] }
  }
}

/// Two clips of one size and length beside each other, in whole numbers, so that sums have no order.
struct Comparison: Sendable, Equatable {
  /// Mean squared error of pixel values in 0...1.
  let error: Double
  /// Of the differences from each clip's own first frame; 0 if one of the clips does not change.
  let cosine: Double

  init(error: Double, cosine: Double) {
    self.error = error
    self.cosine = cosine
  }

  init(_ first: VideoClip, _ second: VideoClip) {
    precondition(first.size == second.size && first.frameCount == second.frameCount, "clips of one size and length")
    let frame = first.size.byteCount
    var (squares, product, firstLength, secondLength) = (0, 0, 0, 0)
    first.pixels.withUnsafeBufferPointer { a in
      second.pixels.withUnsafeBufferPointer { b in
        for start in stride(from: 0, to: a.count, by: frame) {
          for place in 0..<frame {
            let (x, y) = (Int(a[start + place]), Int(b[start + place]))
            let (p, q, r) = (x &- Int(a[place]), y &- Int(b[place]), x &- y)
            squares &+= r &* r
            product &+= p &* q
            firstLength &+= p &* p
            secondLength &+= q &* q
          }
        }
      }
    }
    error = Double(squares) / Double(first.pixels.count) / (255 * 255)
    let lengths = Double(firstLength).squareRoot() * Double(secondLength).squareRoot()
    cosine = lengths > 0 ? Double(product) / lengths : 0
  }
}

extension VideoClip {
  /// These frames at the size and number of those of another clip, chosen and resized as references are.
  fileprivate func like(_ clip: VideoClip) -> VideoClip {
    let chosen =
      frameCount == clip.frameCount
      ? self : selecting(FrameSelection.evenIndices(selecting: clip.frameCount, of: frameCount))
    return chosen.size == clip.size ? chosen : chosen.resized(to: clip.size)
  }
}
