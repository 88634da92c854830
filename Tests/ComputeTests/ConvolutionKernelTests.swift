import CKernels
import Compute
import Testing

/// The kernels under convolutions, for every instruction set; whole convolutions are tested with tensors.
@Suite("Convolution kernels")
struct ConvolutionKernelTests {
  private static func paddedWidth(_ table: KernelTable, _ columns: Int) -> Int {
    (columns + table.kernels.lanes - 1) / table.kernels.lanes * table.kernels.lanes
  }

  @Test("Products with packed panels", arguments: KernelTable.all, [1, 3, 4, 8, 15, 16, 17, 33, 48, 63, 64])
  func products(table: KernelTable, columns: Int) {
    let kernels = table.kernels
    for (rows, inputs, taps) in [(1, 1, 1), (5, 7, 1), (6, 16, 3), (13, 9, 9)] {
      // Two of the taps, where there are as many.
      let (firstTap, tapCount) = (taps / 3, min(2, taps))
      let depth = tapCount * inputs
      let (strideA, strideC) = (depth + 3, columns + 5)
      let (a, weight) = (normals(rows * strideA, seed: 1), normals(columns * inputs * taps, seed: 2))
      var panel = [Float](repeating: .nan, count: depth * Self.paddedWidth(table, columns))
      kernels.pack_panel(&panel, weight, inputs, columns, taps, firstTap, tapCount)
      for adds in [0, 1] {
        let found = writingFloats(rows * strideC) {
          kernels.multiply_panel($0, strideC, a, strideA, panel, rows, depth, columns, Int32(adds))
        }
        let expected = (0..<rows * strideC).map { place in
          let (row, column) = (place / strideC, place % strideC)
          guard column < columns else { return 9.0 }
          return (0..<depth).reduce(9.0 * Double(adds)) { sum, index in
            let tap = firstTap + index / inputs
            let value = weight[(column * inputs + index % inputs) * taps + tap]
            return sum + Double(a[row * strideA + index]) * Double(value)
          }
        }
        expectRow(found, expected, absolute: 1e-5, relative: 1e-6, "\(rows) x \(columns) x \(depth), adds \(adds)")
      }
    }
  }

  @Test("Minimal filtering of a block of 4 x 4 x 4 pixels", arguments: KernelTable.all, [1, 5, 16, 19])
  func winograd(table: KernelTable, channels: Int) {
    let kernels = table.kernels
    let outputs = 21
    let width = Self.paddedWidth(table, outputs)
    let (pixels, weight) = (normals(64 * channels, seed: 1), normals(outputs * channels * 27, seed: 2))
    let bias = normals(outputs, seed: 3)
    var panels = [Float](repeating: .nan, count: 64 * channels * width)
    kernels.winograd_weights(&panels, channels * width, weight, channels, outputs)
    // Terms in time: x0 - x2, x1 + x2, x2 - x1, x1 - x3; frame 0 takes 0 + 1 + 2, frame 1 takes 1 - 2 - 3.
    let terms: [(Int, Float, Int)] = [(0, -1, 2), (1, 1, 2), (2, -1, 1), (1, -1, 3)]
    let signs: [[Float]] = [[1, 1, 1, 0], [0, 1, -1, -1]]
    var results = [[Float]](repeating: [Float](repeating: 0, count: 4 * outputs), count: 2)
    for (term, (first, sign, second)) in terms.enumerated() {
      var transformed = [Float](repeating: .nan, count: 16 * channels)
      pixels.withUnsafeBufferPointer { pixels in
        let (x, y) = (pixels.baseAddress! + first * 16 * channels, pixels.baseAddress! + second * 16 * channels)
        kernels.winograd_input(&transformed, channels, x, y, sign, 4 * channels, 1, channels)
      }
      let products = Self.products(
        table, transformed, Array(panels[term * 16 * channels * width..<(term + 1) * 16 * channels * width]), channels,
        width)
      for frame in 0..<2 where signs[frame][term] != 0 {
        results[frame].withUnsafeMutableBufferPointer { result in
          bias.withUnsafeBufferPointer { bias in
            var target = vap_winograd_output(
              out: result.baseAddress!, base: result.baseAddress!, bias: term == frame ? bias.baseAddress! : nil,
              sign: signs[frame][term], pixel_stride: outputs, row_stride: 2 * outputs, width: 2, height: 2)
            kernels.winograd_output(&target, products, width, width, outputs)
          }
        }
      }
    }
    for frame in 0..<2 {
      let expected = (0..<4 * outputs).map { place in
        let (y, x, output) = (place / outputs / 2, place / outputs % 2, place % outputs)
        return (0..<27 * channels).reduce(Double(bias[output])) { sum, index in
          let (tap, channel) = (index / channels, index % channels)
          let pixel = ((frame + tap / 9) * 4 + y + tap / 3 % 3) * 4 + x + tap % 3
          return sum
            + Double(pixels[pixel * channels + channel]) * Double(weight[(output * channels + channel) * 27 + tap])
        }
      }
      expectRow(results[frame], expected, absolute: 6e-5, relative: 1e-5, "frame \(frame)")
    }
  }

  @Test("Minimal filtering of an upsampled block, cut at the edge", arguments: KernelTable.all, [1, 5, 16, 19])
  func upsampled(table: KernelTable, channels: Int) {
    let kernels = table.kernels
    let outputs = 21
    let width = Self.paddedWidth(table, outputs)
    let (pixels, weight) = (normals(9 * channels, seed: 1), normals(outputs * channels * 9, seed: 2))
    var panels = [Float](repeating: .nan, count: 9 * channels * width)
    kernels.winograd_upsampled_weights(&panels, channels * width, weight, channels, outputs)
    var transformed = [Float](repeating: .nan, count: 9 * channels)
    kernels.winograd_upsampled_input(&transformed, channels, pixels, 3 * channels, 1, channels)
    let products = Self.products(table, transformed, panels, channels, width)
    for (columns, rows) in [(2, 2), (1, 2), (2, 1)] {
      let found = writingFloats(4 * outputs) { result in
        var target = vap_winograd_output(
          out: result, base: nil, bias: nil, sign: 1, pixel_stride: outputs, row_stride: 2 * outputs, width: columns,
          height: rows)
        kernels.winograd_upsampled_output(&target, products, width, width, outputs)
      }
      let expected = (0..<4 * outputs).map { place in
        let (y, x, output) = (place / outputs / 2, place / outputs % 2, place % outputs)
        guard x < columns, y < rows else { return 9.0 }
        return (0..<9 * channels).reduce(0.0) { sum, index in
          let (tap, channel) = (index / channels, index % channels)
          // Pixel 1 of 3 shows at places 0 and 1 of the upsampled axis, pixel 0 at -1, pixel 2 at 2.
          let pixel = (y + tap / 3 + 1) / 2 * 3 + (x + tap % 3 + 1) / 2
          return sum
            + Double(pixels[pixel * channels + channel]) * Double(weight[(output * channels + channel) * 9 + tap])
        }
      }
      expectRow(found, expected, absolute: 3e-5, relative: 1e-5, "\(columns) x \(rows)")
    }
  }

  /// One product of a row with the panel of each place.
  private static func products(
    _ table: KernelTable, _ transformed: [Float], _ panels: [Float], _ channels: Int, _ width: Int
  ) -> [Float] {
    var products = [Float](repeating: 0, count: transformed.count / channels * width)
    for place in 0..<transformed.count / channels {
      products.withUnsafeMutableBufferPointer { products in
        transformed.withUnsafeBufferPointer { transformed in
          panels.withUnsafeBufferPointer { panels in
            table.kernels.multiply_panel(
              products.baseAddress! + place * width, width, transformed.baseAddress! + place * channels, channels,
              panels.baseAddress! + place * channels * width, 1, channels, width, 0)
          }
        }
      }
    }
    return products
  }
}
