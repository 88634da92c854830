import CKernels
import Compute
import Foundation
import TestSupport
import Testing

/// Backward row kernels against central differences of the scalar definitions, all in float64: with a step of 1e-5 their
/// own error is below 1e-8.
@Suite("Gradient kernels")
struct GradientKernelTests {
  private let step = 1e-5

  /// d (sum of weights times function) / d input, element by element.
  private func slopes(
    _ input: [Double], _ weights: [Double], _ function: ([Double]) -> [Double]
  ) -> [Double] {
    func loss(_ input: [Double]) -> Double { zip(function(input), weights).reduce(0) { $0 + $1.0 * $1.1 } }
    return input.indices.map { index in
      var (above, below) = (input, input)
      above[index] += step
      below[index] -= step
      return (loss(above) - loss(below)) / (2 * step)
    }
  }

  /// The slopes far below and far above zero.
  private static func limits(_ activation: Activation) -> [Float] {
    switch activation {
    case .identity: [1, 1, 1, 1]
    case .sigmoid, .tanh: [0, 0, 0, 0]
    default: [0, 0, 1, 1]
    }
  }

  @Test("Activations", arguments: KernelTable.all, Activation.allCases)
  func activations(table: KernelTable, activation: Activation) {
    for count in rowLengths {
      let (input, gradient) = (normals(count, seed: 1).map { 3 * $0 }, normals(count, seed: 2))
      expectRow(
        writingFloats(count) { table.kernels.activate_gradient($0, gradient, input, activation.code, count) },
        slopes(input.map(Double.init), gradient.map(Double.init)) { $0.map(activation.oracle) },
        absolute: 3e-6, relative: 1e-6)
    }
    // Far out, slopes are 0 or 1, and never NaN.
    let far: [Float] = [-1e30, -200, 200, 1e30]
    let found = writingFloats(4) { table.kernels.activate_gradient($0, [1, 1, 1, 1], far, activation.code, 4) }
    #expect(found == Self.limits(activation))
  }

  @Test(
    "Layer norm: gradients of the row, and sums that are added to", arguments: KernelTable.all, [2, 5, 16, 33, 100])
  func layerNorm(table: KernelTable, count: Int) {
    let (input, gradient) = (normals(count, seed: 1), normals(count, seed: 2))
    let rows = (3..<6).map { normals(count, seed: $0) }
    let (weight, bias, scale) = (rows[0].map(Double.init), rows[1].map(Double.init), rows[2].map(Double.init))
    let normed = Oracle.layerNorm(input.map(Double.init), epsilon: 1e-3)
    let slope = gradient.map(Double.init)
    var sums = [[Float]](repeating: [Float](repeating: 1, count: count), count: 4)
    let found = writingFloats(count) { output in
      sums.withUnsafeMutablePointers { pointers in
        var places = NormSums(weight: pointers[0], bias: pointers[1], scale: pointers[2], shift: pointers[3])
        table.kernels.layer_norm_gradient(output, gradient, input, rows[0], rows[1], rows[2], 1e-3, &places, count)
      }
    }
    expectRow(
      found,
      slopes(input.map(Double.init), slope) { input in
        zip(Oracle.layerNorm(input, epsilon: 1e-3).enumerated(), bias).map {
          ($0.element * weight[$0.offset] + $1) * (1 + scale[$0.offset])
        }
      }, absolute: 2e-5, relative: 1e-5)
    let outer = zip(slope, scale).map { $0 * (1 + $1) }
    let modulated = normed.indices.map { normed[$0] * weight[$0] + bias[$0] }
    for (sum, terms) in zip(
      sums, [zip(outer, normed).map(*), outer, zip(slope, modulated).map(*), slope])
    {
      expectRow(sum, terms.map { 1 + $0 }, absolute: 5e-6, relative: 1e-6)
    }
  }

  @Test("RMS norm", arguments: KernelTable.all, [1, 5, 16, 33, 100])
  func rmsNorm(table: KernelTable, count: Int) {
    let (input, gradient, weight) = (normals(count, seed: 1), normals(count, seed: 2), normals(count, seed: 3))
    let slope = gradient.map(Double.init)
    var sum = [Float](repeating: 1, count: count)
    let found = writingFloats(count) { output in
      table.kernels.rms_norm_gradient(output, gradient, input, weight, 1e-3, &sum, count)
    }
    expectRow(
      found,
      slopes(input.map(Double.init), slope) { input in
        zip(Oracle.rmsNorm(input, epsilon: 1e-3), weight).map { $0 * Double($1) }
      }, absolute: 2e-5, relative: 1e-5)
    let normed = Oracle.rmsNorm(input.map(Double.init), epsilon: 1e-3)
    expectRow(sum, zip(slope, normed).map { 1 + $0 * $1 }, absolute: 5e-6, relative: 1e-6)
  }

  @Test("Softmax from base-2 log-sum-exps, a query in each column", arguments: KernelTable.all, [1, 7, 45])
  func softmax(table: KernelTable, count: Int) {
    let (width, queries, logitScale, scale) = (2 * table.kernels.lanes, table.kernels.lanes + 3, Float(1.5), Float(0.5))
    var (scores, gradients) = (normals(count * width, seed: 1), normals(count * width, seed: 2))
    var logSums = [Float](repeating: .infinity, count: width)
    var products = [Float](repeating: 0, count: width)
    let columns = (0..<queries).map { query in
      (0..<count).map { key in
        (logit: Double(logitScale * scores[key * width + query]) * M_LN2, slope: Double(gradients[key * width + query]))
      }
    }
    for (query, column) in columns.enumerated() {
      logSums[query] = Float(log2(column.reduce(0) { $0 + exp($1.logit) }))
      let probabilities = Oracle.softmax(column.map(\.logit))
      products[query] = Float(zip(probabilities, column).reduce(0) { $0 + $1.0 * $1.1.slope })
    }
    table.kernels.softmax_gradient(&scores, &gradients, count, width, &logSums, &products, logitScale, scale)
    for (query, column) in columns.enumerated() {
      let found = (0..<count).map { scores[$0 * width + query] }
      let slope = (0..<count).map { gradients[$0 * width + query] }
      expectRow(found, Oracle.softmax(column.map(\.logit)), absolute: 1e-6, relative: 1e-6)
      expectRow(
        slope, slopes(column.map(\.logit), column.map(\.slope), Oracle.softmax).map { $0 * Double(scale) },
        absolute: 1e-6, relative: 1e-5)
    }
    #expect((0..<count).allSatisfy { key in (queries..<width).allSatisfy { scores[key * width + $0] == 0 } })
  }
}

extension [[Float]] {
  /// Calls `body` with one pointer for each row.
  fileprivate mutating func withUnsafeMutablePointers(_ body: ([UnsafeMutablePointer<Float>]) -> Void) {
    let width = self[0].count
    var joined = flatMap { $0 }
    let rows = count
    joined.withUnsafeMutableBufferPointer { buffer in
      body((0..<rows).map { buffer.baseAddress! + $0 * width })
    }
    self = joined.rows(of: width)
  }
}
