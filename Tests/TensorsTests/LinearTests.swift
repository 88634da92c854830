import Compute
import Tensors
import TestSupport
import Testing

@Suite("Linear maps")
struct LinearTests {
  private static let weightTypes = DType.allCases.filter { $0.isWeight }

  private func oracle(_ input: Tensor, _ weight: Tensor, _ bias: Tensor?, _ activation: Activation) -> Tensor {
    let (outputs, inputs) = (weight.shape[0], weight.shape[1])
    let rows = input.count / inputs
    let offsets = bias?.doubles()
    let products = Oracle.product(input.doubles(), weight.doubles(), m: rows, n: outputs, k: inputs)
    let values = products.enumerated().map { activation.oracle($1 + (offsets?[$0 % outputs] ?? 0)) }
    return Tensor(rounding: values, shape: Shape(input.shape.extents.dropLast() + [outputs]))
  }

  /// Rows, inputs, outputs: single values, odd sizes, sizes around the tiles' multiples.
  static let sizes = [[1, 1, 1], [1, 7, 3], [3, 5, 7], [2, 1, 65], [17, 33, 65], [64, 64, 64], [33, 100, 129]]

  @Test("Products with every stored type and odd size", arguments: weightTypes, sizes)
  func products(dtype: DType, sizes: [Int]) {
    let (rows, inputs, outputs) = (sizes[0], sizes[1], sizes[2])
    let input = Tensor.random([rows, inputs], seed: 1)
    let weight = Tensor.random([outputs, inputs], seed: 2).stored(as: dtype)
    for bias in [nil, Tensor.random([outputs], seed: 3).stored(as: dtype)] {
      // Sums of up to a hundred products of order 1.
      expectClose(input.linear(weight, bias: bias), oracle(input, weight, bias, .identity), absolute: 2e-5)
    }
  }

  @Test("Products of many rows and more inputs than are multiplied at a time", arguments: weightTypes)
  func manyRows(dtype: DType) {
    let input = Tensor.random([2, 65, 1030], seed: 1)
    let weight = Tensor.random([67, 1030], seed: 2).stored(as: dtype)
    let bias = Tensor.random([67], seed: 3)
    // Sums of a thousand products of order 1.
    expectClose(input.linear(weight, bias: bias, .geluTanh), oracle(input, weight, bias, .geluTanh), absolute: 1e-4)
  }

  @Test("Activations are fused in, with and without bias", arguments: Activation.allCases)
  func activations(activation: Activation) {
    let (input, weight) = (Tensor.random([5, 9], seed: 1), Tensor.random([70, 9], seed: 2))
    for bias in [nil, Tensor.random([70], seed: 3)] {
      expectClose(
        input.linear(weight, bias: bias, activation), oracle(input, weight, bias, activation), absolute: 5e-6)
    }
  }

  @Test("Many rows and wide weights are cut into tiles that fit together", arguments: weightTypes)
  func tiles(dtype: DType) {
    // 1030 rows are three tiles, 1600 outputs are three panels.
    let input = Tensor.random([1030, 3], seed: 1)
    let weight = Tensor.random([1600, 3], seed: 2).stored(as: dtype)
    let bias = Tensor.random([1600], seed: 3)
    expectClose(input.linear(weight, bias: bias, .silu), oracle(input, weight, bias, .silu), absolute: 5e-6)
  }

  @Test("Leading axes are kept, a vector is one row")
  func leadingAxes() {
    let (input, weight) = (Tensor.random([2, 3, 4, 5], seed: 1), Tensor.random([6, 5], seed: 2))
    #expect(input.linear(weight).shape == [2, 3, 4, 6])
    expectClose(input.linear(weight), oracle(input, weight, nil, .identity), absolute: 5e-6)
    #expect(input[0][0][0].linear(weight).shape == [6])
  }

  @Test("Views serve as input and as weight", arguments: weightTypes)
  func views(dtype: DType) {
    let input = Tensor.random([5, 4], seed: 1).transposed(0, 1)
    let weight = Tensor.random([9, 8, 5], seed: 2).stored(as: dtype)
    expectClose(input.linear(weight[3]), oracle(input, weight[3], nil, .identity), absolute: 5e-6)
    let transposed = Tensor.random([5, 7], seed: 3).stored(as: dtype).transposed(0, 1)
    expectClose(input.linear(transposed), oracle(input, transposed, nil, .identity), absolute: 5e-6)
  }

  @Test("NaN in one row stays in that row")
  func invalidRow() {
    var values = Tensor.random([4, 20], seed: 1).floats()
    values[25] = .nan
    let found = Tensor(values, shape: [4, 20]).linear(.random([30, 20], seed: 2)).floats().rows(of: 30)
    #expect(found[1].allSatisfy { $0.isNaN })
    for row in [0, 2, 3] { #expect(found[row].allSatisfy { $0.isFinite }) }
  }
}
