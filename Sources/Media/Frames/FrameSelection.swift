import Compute

/// How a fixed number of frames is taken from a longer clip.
package enum FrameSelection: String, Sendable, CaseIterable {
  /// Spread over the whole clip, first and last frame included.
  case evenly
  /// The beginning of the clip.
  case first
  /// A window of neighbouring frames at a random place.
  case random

  /// Indices of the frames to take, in order.
  ///
  /// `evenly` follows the published pipelines: trunc(linspace(0, available - 1, count)) in float32. When a clip has
  /// fewer frames than wanted, that rule repeats frames (7 frames for 9: 0 0 1 2 3 3 4 5 6); the other rules throw.
  /// - Parameters:
  ///   - count: frames wanted, at least 1.
  ///   - available: frames of the clip, at least 1.
  ///   - generator: drawn from by `random` only, once.
  package func indices(
    selecting count: Int, of available: Int, using generator: inout RandomGenerator
  ) throws(MediaFailure) -> [Int] {
    guard count > 0, available > 0, self == .evenly || available >= count else {
      throw .tooFewFrames(available: available, wanted: count, selection: self)
    }
    switch self {
    case .evenly: return Self.evenIndices(selecting: count, of: available)
    case .first: return Array(0..<count)
    case .random:
      let start = generator.drawIndex(below: available - count + 1)
      return Array(start..<start + count)
    }
  }

  /// trunc(linspace(0, available - 1, count)) as PyTorch computes it: float32, and symmetric, the second half counted
  /// down from the end, which decides on which side of a whole number a rounded value falls.
  package static func evenIndices(selecting count: Int, of available: Int) -> [Int] {
    guard count > 1 else { return [Int](repeating: 0, count: max(count, 0)) }
    let end = Float(available - 1)
    let step = end / Float(count - 1)
    return (0..<count).map { index in
      let value = index < count / 2 ? step * Float(index) : end - step * Float(count - 1 - index)
      return min(max(Int(value), 0), available - 1)
    }
  }

  /// Indices that thin a clip to a lower frame rate, as the published training does.
  ///
  /// With n frames: the distinct values of round-half-even(linspace(0, n - 1, int(n * target / fps))), where fps is the
  /// average rate cut to a whole number; of a clip too short for any its middle frame. A clip of a lower rate keeps all
  /// its frames, as every index then occurs.
  package static func resampledIndices(of available: Int, from rate: FrameRate, to target: Int = 16) -> [Int] {
    let whole = max(Int(rate.value), 1)
    guard whole != target, available > 1 else { return Array(0..<available) }
    let count = Int(Double(available) * Double(target) / Double(whole))
    guard count > 0 else { return [available / 2] }
    guard count > 1 else { return [0] }
    let step = Double(available - 1) / Double(count - 1)
    var indices: [Int] = []
    for position in 0..<count {
      let value = position == count - 1 ? Double(available - 1) : Double(position) * step
      let index = Int(value.rounded(.toNearestOrEven))
      if index != indices.last { indices.append(index) }
    }
    return indices
  }
}
