import Compute
import Tensors
import TestSupport
import Testing

@Suite("Element-wise operations")
struct ElementwiseTests {
  /// One vector, a vector and a rest, more than one block of work.
  static let counts = [1, 17, 70_001]

  @Test("Sums, differences, products and combinations", arguments: counts)
  func arithmetic(count: Int) {
    let (a, b) = (Tensor.random([count], seed: 1), Tensor.random([count], seed: 2))
    let (x, y) = (a.floats(), b.floats())
    #expect((a + b).floats() == zip(x, y).map { $0 + $1 })
    #expect((a * b).floats() == zip(x, y).map { $0 * $1 })
    #expect((a - b).floats() == zip(x, y).map { $0 - $1 })
    let combined = zip(x, y).map { Double(Float(0.3)) * Double($0) - 2 * Double($1) }
    expectClose(.combined(a, 0.3, b, -2), Tensor(rounding: combined, shape: [count]), absolute: 1e-6)
    let scaled = x.map { 0.5 - 3 * Double($0) }
    expectClose(a.scaled(by: -3, adding: 0.5), Tensor(rounding: scaled, shape: [count]), absolute: 1e-6)
  }

  @Test("Views and 16-bit operands are read as their float32 values")
  func operands() {
    let (a, b) = (Tensor.random([3, 4], seed: 1), Tensor.random([4, 3], seed: 2).stored(as: .bfloat16))
    let sum = a.transposed(0, 1) + b
    #expect(sum.shape == [4, 3] && sum.dtype == .float32)
    #expect(sum.floats() == zip(a.transposed(0, 1).floats(), b.floats()).map { $0 + $1 })
  }

  @Test("Activations", arguments: Activation.allCases, counts)
  func activations(activation: Activation, count: Int) {
    let tensor = Tensor.random([count])
    expectClose(
      tensor.activated(activation), Tensor(rounding: tensor.doubles().map(activation.oracle), shape: [count]),
      absolute: 1e-6)
  }

  @Test("Softmax over the last axis, with bias rows that repeat over the leading axes")
  func softmax() {
    let (tensor, bias) = (Tensor.random([2, 3, 5, 7], seed: 1), Tensor.random([5, 7], seed: 2))
    let (rows, biasRows) = (tensor.doubles().rows(of: 7), bias.doubles().rows(of: 7))
    expectClose(
      tensor.softmax(), Tensor(rounding: rows.flatMap(Oracle.softmax), shape: tensor.shape), absolute: 1e-7,
      relative: 1e-6)
    let biased = rows.enumerated().flatMap { index, row in
      Oracle.softmax(zip(row, biasRows[index % 5]).map { $0 + $1 })
    }
    expectClose(
      tensor.softmax(bias: bias), Tensor(rounding: biased, shape: tensor.shape), absolute: 1e-7, relative: 1e-6)
  }
}
