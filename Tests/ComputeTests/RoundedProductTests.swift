import Synchronization
import Testing

@testable import Compute

@Suite("RoundedProduct", .enabled(if: RoundedProduct.isAvailable))
struct RoundedProductTests {
  /// Values as their nearest bfloat16 numbers.
  private func rounded(_ values: [Float]) -> [Double] {
    var halves = [UInt16](repeating: 0, count: values.count)
    kernels.narrow_bf16(&halves, values, values.count)
    return halves.map { Double(Float(bitPattern: UInt32($0) << 16)) }
  }

  @Test(
    "Products of odd sizes, both orientations, alone and added",
    arguments: [[1, 1, 1], [5, 16, 7], [6, 64, 16], [13, 63, 33], [71, 48, 1025]], [false, true])
  func products(sizes: [Int], isTransposed: Bool) {
    let (m, n, k) = (sizes[0], sizes[1], sizes[2])
    let (a, b) = (normals(m * k, seed: 1), normals(n * k, seed: 2))
    let (left, right) = (rounded(a), rounded(b))
    let start = normals(m * n, seed: 3)
    let stride = (k + 1) / 2
    var pairs = [UInt32](repeating: .max, count: m * stride)
    pairs.withUnsafeMutableBufferPointer { pairs in
      a.withUnsafeBufferPointer { a in
        for row in 0..<m {
          RoundedProduct.round(a.baseAddress! + row * k, k, to: pairs.baseAddress! + row * stride)
        }
      }
    }
    for adds in [false, true] {
      var c = start
      RoundedProduct.multiply(
        m, n, k, pairs, strideA: stride, b, strideB: isTransposed ? k : n, transposedB: isTransposed, adds: adds, &c,
        strideC: n)
      let expected = start.indices.map { index in
        (0..<k).reduce(adds ? Double(start[index]) : 0) { sum, i in
          sum + left[index / n * k + i] * right[isTransposed ? index % n * k + i : i * n + index % n]
        }
      }
      expectRow(c, expected, absolute: 1e-4, relative: 1e-5)
    }
  }

  @Test("Linear maps forwards and backwards, over several blocks of rows, columns and terms")
  func linearMaps() {
    let (rows, inputs, outputs) = (2070, 2090, 70)
    let (input, weight, slope) = (normals(rows * inputs), normals(outputs * inputs, seed: 1), normals(rows * outputs))
    let (x, w, g) = (rounded(input), rounded(weight), rounded(slope))
    let places = [0, 1, 1033, 2047, 2048, 2069]
    weight.withUnsafeBytes { bytes in
      let matrix = StoredMatrix(start: bytes.baseAddress!, dtype: .float32, rows: outputs, columns: inputs)
      var forward = [Float](repeating: .nan, count: rows * outputs)
      WeightProduct.multiplyRounded(input, rows: rows, matrix, transposed: true, &forward) { _, _, _ in }
      var backward = [Float](repeating: .nan, count: rows * inputs)
      WeightProduct.multiplyRounded(slope, rows: rows, matrix, transposed: false, &backward) { _, _, _ in }
      for row in places {
        let found = Array(forward[row * outputs..<(row + 1) * outputs])
        let expected = (0..<outputs).map { output in
          (0..<inputs).reduce(0.0) { $0 + x[row * inputs + $1] * w[output * inputs + $1] }
        }
        expectRow(found, expected, absolute: 1e-3, relative: 1e-5)
        let slopes = Array(backward[row * inputs..<(row + 1) * inputs])
        let expectedSlopes = (0..<inputs).map { input in
          (0..<outputs).reduce(0.0) { $0 + g[row * outputs + $1] * w[$1 * inputs + input] }
        }
        expectRow(slopes, expectedSlopes, absolute: 1e-4, relative: 1e-5)
      }
    }
    for isRounded in [false, true] where isRounded || PackedProduct.isFast(rows: outputs) {
      var found = [Float](repeating: .nan, count: outputs * inputs)
      LinearGradientKernel.panelWeight(
        slope, input, rows: rows, outputs: outputs, inputs: inputs, &found, isRounded: isRounded)
      let (left, right) = isRounded ? (g, x) : (slope.map(Double.init), input.map(Double.init))
      for output in [0, 33, 69] {
        let expected = (0..<inputs).map { input in
          (0..<rows).reduce(0.0) { $0 + left[$1 * outputs + output] * right[$1 * inputs + input] }
        }
        expectRow(
          Array(found[output * inputs..<(output + 1) * inputs]), expected, absolute: 1e-3, relative: 1e-5)
      }
    }
  }

  @Test("The setting reaches the threads that work is spread over, and ends with its scope")
  func scope() {
    let seen = Mutex<[Bool]>([])
    RoundedProduct.$isEnabled.withValue(true) {
      Workers.forEach(64) { _ in seen.withLock { $0.append(RoundedProduct.isEnabled) } }
    }
    #expect(seen.withLock { $0 } == Array(repeating: true, count: 64))
    #expect(!RoundedProduct.isEnabled)
  }
}
