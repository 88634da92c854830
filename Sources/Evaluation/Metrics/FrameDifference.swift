import Compute
import Foundation
import Media

/// Exact comparisons of a clip with the clip it should be, frame by frame.
package enum FrameDifference {
  /// Peak signal-to-noise ratio over all frames, pixels and channels together: 10 log10(255^2 / mean squared error), in
  /// decibels; infinite for equal clips.
  ///
  /// Throws `EvaluationFailure` for clips of different size or length.
  package static func peakSignalToNoiseRatio(_ clip: VideoClip, _ truth: VideoClip) throws(EvaluationFailure) -> Double
  {
    try check("PSNR", clip, truth)
    let sum = zip(clip.pixels, truth.pixels).reduce(0) { sum, pair in
      let difference = Int(pair.0) - Int(pair.1)
      return sum + difference * difference
    }
    guard sum > 0 else { return .infinity }
    return 10 * log10(255 * 255 * Double(clip.pixels.count) / Double(sum))
  }

  /// Structural similarity (Wang et al. 2004) of the luma, the mean over all frames and windows.
  ///
  /// Luma is 0.299 R + 0.587 G + 0.114 B, in float64 without rounding. Windows are Gaussian, 11 x 11 pixels with a
  /// deviation of 1.5, and lie wholly inside of the frame; variances are biased; C1 = (0.01 x 255)^2, C2 =
  /// (0.03 x 255)^2. Throws `EvaluationFailure` for clips of different size or length, or with a side under 11 pixels.
  package static func structuralSimilarity(_ clip: VideoClip, _ truth: VideoClip) throws(EvaluationFailure) -> Double {
    try check("SSIM", clip, truth)
    guard min(clip.width, clip.height) >= Window.side else {
      throw .tooSmall(metric: "SSIM", size: clip.size, least: Window.side - 1)
    }
    var means = [Double](repeating: 0, count: clip.frameCount)
    means.withUnsafeMutableBufferPointer { means in
      // Sound: frames write their own mean.
      nonisolated(unsafe) let means = means
      Workers.forEach(clip.frameCount) { frame in
        means[frame] = similarity(luma(clip.frame(frame)), luma(truth.frame(frame)), clip.size)
      }
    }
    return means.reduce(0, +) / Double(means.count)
  }

  private static func check(_ metric: String, _ clip: VideoClip, _ truth: VideoClip) throws(EvaluationFailure) {
    guard clip.size == truth.size, clip.frameCount == truth.frameCount else {
      throw .differentClips(
        metric: metric, first: "\(clip.frameCount) frames of \(clip.size)",
        second: "\(truth.frameCount) frames of \(truth.size)")
    }
  }

  private static func luma(_ pixels: ArraySlice<UInt8>) -> [Double] {
    let start = pixels.startIndex
    return (0..<pixels.count / 3).map { pixel in
      let place = start + 3 * pixel
      return 0.299 * Double(pixels[place]) + 0.587 * Double(pixels[place + 1]) + 0.114 * Double(pixels[place + 2])
    }
  }

  private static func similarity(_ first: [Double], _ second: [Double], _ size: FrameSize) -> Double {
    let (c1, c2) = (6.5025, 58.5225)  // (0.01 x 255)^2 and (0.03 x 255)^2
    let window = Window(size)
    let (meansA, meansB) = (window.means(first), window.means(second))
    let squaresA = window.means(first.map { $0 * $0 })
    let squaresB = window.means(second.map { $0 * $0 })
    let products = window.means(zip(first, second).map { $0 * $1 })
    var sum = 0.0
    for index in meansA.indices {
      let (a, b) = (meansA[index], meansB[index])
      let (varianceA, varianceB) = (squaresA[index] - a * a, squaresB[index] - b * b)
      let covariance = products[index] - a * b
      sum += (2 * a * b + c1) * (2 * covariance + c2) / ((a * a + b * b + c1) * (varianceA + varianceB + c2))
    }
    return sum / Double(meansA.count)
  }

  /// Gaussian means over windows of a plane, one axis after the other.
  private struct Window {
    static let side = 11
    private static let weights: [Double] = {
      let values = (0..<side).map { exp(-pow(Double($0 - side / 2), 2) / (2 * 1.5 * 1.5)) }
      return values.map { $0 / values.reduce(0, +) }
    }()

    private let width: Int
    private let height: Int

    init(_ size: FrameSize) { (width, height) = (size.width, size.height) }

    func means(_ plane: [Double]) -> [Double] {
      let (columns, rows) = (width - Self.side + 1, height - Self.side + 1)
      var narrow = [Double](repeating: 0, count: height * columns)
      for row in 0..<height {
        for column in 0..<columns {
          var sum = 0.0
          for tap in 0..<Self.side { sum += Self.weights[tap] * plane[row * width + column + tap] }
          narrow[row * columns + column] = sum
        }
      }
      var result = [Double](repeating: 0, count: rows * columns)
      for row in 0..<rows {
        for column in 0..<columns {
          var sum = 0.0
          for tap in 0..<Self.side { sum += Self.weights[tap] * narrow[(row + tap) * columns + column] }
          result[row * columns + column] = sum
        }
      }
      return result
    }
  }
}
