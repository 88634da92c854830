import Compute
import Foundation

// Plain scalar definitions in float64, as readable as their formulas: what fast kernels are compared with.

extension Activation: CaseIterable {
  package static var allCases: [Activation] {
    [.identity, .geluTanh, .gelu, .silu, .relu, .quickGELU, .sigmoid, .tanh]
  }
  /// Those whose values are bounded.
  package static let gates: [Activation] = [.sigmoid, .tanh]

  package func oracle(_ x: Double) -> Double {
    switch self {
    case .identity: x
    case .geluTanh: 0.5 * x * (1 + Foundation.tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case .gelu: 0.5 * x * (1 + erf(x / 2.0.squareRoot()))
    case .silu: x / (1 + exp(-x))
    case .relu: x < 0 ? 0 : x
    case .quickGELU: x / (1 + exp(-1.702 * x))
    case .sigmoid: 1 / (1 + exp(-x))
    case .tanh: Foundation.tanh(x)
    }
  }
}

package enum Oracle {
  /// a b' for `a` `[m, k]` and `b` `[n, k]`.
  package static func product(_ a: [Double], _ b: [Double], m: Int, n: Int, k: Int) -> [Double] {
    (0..<m).flatMap { row in
      (0..<n).map { column in (0..<k).reduce(0) { $0 + a[row * k + $1] * b[column * k + $1] } }
    }
  }

  package static func softmax(_ row: [Double]) -> [Double] {
    let top = row.max() ?? 0
    let powers = row.map { exp($0 - top) }
    let sum = powers.reduce(0, +)
    return powers.map { $0 / sum }
  }

  /// (x - mean) / sqrt(variance + epsilon)
  package static func layerNorm(_ row: [Double], epsilon: Double) -> [Double] {
    let mean = row.reduce(0, +) / Double(row.count)
    let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
    return row.map { ($0 - mean) / (variance + epsilon).squareRoot() }
  }

  /// x / sqrt(mean(x^2) + epsilon)
  package static func rmsNorm(_ row: [Double], epsilon: Double) -> [Double] {
    let mean = row.reduce(0) { $0 + $1 * $1 } / Double(row.count)
    return row.map { $0 / (mean + epsilon).squareRoot() }
  }

  /// softmax(scale q k' + bias) v of one head, for `[queries, size]`, `[keys, size]`, bias `[queries, keys]`.
  package static func attention(
    queries: [Double], keys: [Double], values: [Double], size: Int, scale: Double, bias: [Double]? = nil
  ) -> [Double] {
    let (queryCount, keyCount) = (queries.count / size, keys.count / size)
    let scores = product(queries, keys, m: queryCount, n: keyCount, k: size)
    return (0..<queryCount).flatMap { query in
      let row = (0..<keyCount).map { scale * scores[query * keyCount + $0] + (bias?[query * keyCount + $0] ?? 0) }
      let weights = softmax(row)
      return (0..<size).map { column in
        (0..<keyCount).reduce(0) { $0 + (weights[$1] == 0 ? 0 : weights[$1] * values[$1 * size + column]) }
      }
    }
  }

  /// Rotates interleaved pairs of a row by the angles whose cosines and sines are given, each value twice.
  package static func rotated(_ row: [Double], cosines: [Double], sines: [Double]) -> [Double] {
    row.indices.map { index in
      index % 2 == 0
        ? row[index] * cosines[index] - row[index + 1] * sines[index]
        : row[index] * cosines[index] + row[index - 1] * sines[index]
    }
  }
}

extension Array {
  /// The elements in consecutive rows of `count`.
  package func rows(of count: Int) -> [[Element]] {
    stride(from: 0, to: self.count, by: count).map { Array(self[$0..<$0 + count]) }
  }
}
