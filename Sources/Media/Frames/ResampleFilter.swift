import Foundation

/// A resampling kernel of Pillow's `Image.resize`.
package enum ResampleFilter: String, Sendable, CaseIterable {
  case lanczos
  /// Keys' cubic with a = -0.5; PyTorch's is `PlanarBicubic`, with a = -0.75.
  case bicubic
  /// Area average.
  case box

  /// Half the width of the kernel in source pixels, when not shrinking.
  var support: Double {
    switch self {
    case .lanczos: 3
    case .bicubic: 2
    case .box: 0.5
    }
  }

  // The operations and their order are Pillow's: results are to agree in every bit.
  func weight(at offset: Double) -> Double {
    switch self {
    case .lanczos: return -3 <= offset && offset < 3 ? Self.sinc(offset) * Self.sinc(offset / 3) : 0
    case .bicubic:
      let a = -0.5
      let x = abs(offset)
      if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
    case .box: return offset > -0.5 && offset <= 0.5 ? 1 : 0
    }
  }

  private static func sinc(_ x: Double) -> Double {
    if x == 0 { return 1 }
    let angle = x * Double.pi
    return sin(angle) / angle
  }
}

/// The weights that make one line of `outputCount` pixels from a line of `inputCount`, in fixed point.
struct ResampleWeights: Sendable {
  /// Two bits of an Int32 stay free for sums beyond 0...1 and the sign, 8 for the pixel.
  static let precision: Int32 = 32 - 8 - 2

  /// First source pixel and number of source pixels for each output pixel.
  let spans: [(start: Int, count: Int)]
  /// Weights of output pixel i at `i * stride ..< i * stride + spans[i].count`.
  let weights: [Int32]
  let stride: Int

  init(inputCount: Int, outputCount: Int, filter: ResampleFilter) {
    let scale = Double(inputCount) / Double(outputCount)
    // Shrinking widens the kernel, which is what keeps fine patterns from aliasing.
    let filterScale = max(scale, 1)
    let support = filter.support * filterScale
    stride = Int(support.rounded(.up)) * 2 + 1
    var spans: [(start: Int, count: Int)] = []
    var weights = [Int32](repeating: 0, count: outputCount * stride)
    var line = [Double](repeating: 0, count: stride)
    for output in 0..<outputCount {
      let center = (Double(output) + 0.5) * scale
      let start = max(Int(center - support + 0.5), 0)
      let count = min(Int(center + support + 0.5), inputCount) - start
      var sum = 0.0
      for index in 0..<count {
        line[index] = filter.weight(at: (Double(index + start) - center + 0.5) * (1 / filterScale))
        sum += line[index]
      }
      for index in 0..<count {
        let scaled = (sum != 0 ? line[index] / sum : line[index]) * Double(1 << Self.precision)
        weights[output * stride + index] = Int32(scaled < 0 ? -0.5 + scaled : 0.5 + scaled)
      }
      spans.append((start, count))
    }
    self.spans = spans
    self.weights = weights
  }
}
