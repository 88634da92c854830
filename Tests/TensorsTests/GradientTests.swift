import Compute
import Tensors
import TestSupport
import Testing

@Suite("Gradients against central differences")
struct GradientTests {
  private let a = Tensor.random([3, 5], seed: 1)
  private let b = Tensor.random([3, 5], seed: 2)

  @Test("Activations", arguments: Activation.allCases.filter { $0 != .relu })
  func activations(activation: Activation) throws {
    try expectGradient(of: [.random([50], seed: 3)]) { $0[0].activated(activation) }
  }

  @Test("ReLU passes gradients where its input is positive")
  func relu() throws {
    let input = Tensor([-1, 2, -3, 4]).asVariable()
    #expect(try input.activated(.relu).backward(Tensor([1, 2, 3, 4]))[input]?.floats() == [0, 2, 0, 4])
  }

  @Test("Sums, differences, products, scaling and the sum of all")
  func elementwise() throws {
    try expectGradient(of: [a, b]) { ($0[0] + $0[1]) * $0[0] - $0[1].scaled(by: 3, adding: 1) }
    try expectGradient(of: [a, b]) { .combined($0[0], 0.5, $0[1] * $0[1], -2) }
    try expectGradient(of: [a]) { ($0[0] * $0[0]).sum() }
    try expectGradient(of: [.random([2, 3, 5], seed: 3), a]) { $0[0].addingRows($0[1]) }
  }

  @Test("A tensor that is read twice gets both gradients, and reading it changes no other tensor")
  func accumulation() throws {
    let x = Tensor([1, 2]).asVariable()
    let seed = Tensor([10, 20])
    let gradients = try (x + x + x).backward(seed)
    #expect(gradients[x]?.floats() == [30, 60])
    #expect(seed.floats() == [10, 20])
  }

  @Test("Linear maps with bias and activation, over more rows and columns than a tile")
  func linear() throws {
    let weight = Tensor.random([7, 5], seed: 4)
    let bias = Tensor.random([7], seed: 5)
    try expectGradient(of: [a, weight, bias]) { $0[0].linear($0[1], bias: $0[2], .geluTanh) }
    try expectGradient(of: [.random([2, 3, 5], seed: 6), weight]) { $0[0].linear($0[1]) }
    let large = Tensor.random([600, 70], seed: 7)
    try expectGradient(of: [large], samples: 6) { $0[0].linear(.random([800, 70], seed: 8).scaled(by: 0.1)) }
    try expectGradient(of: [.random([800, 70], seed: 9)], tolerance: 2e-3, samples: 6) { large.linear($0[0]) }
  }

  @Test("16-bit weights pass the gradients of their float32 values", arguments: [DType.bfloat16, .float16])
  func halfWeights(dtype: DType) throws {
    let weight = Tensor.random([7, 5], seed: 4).stored(as: dtype)
    try expectGradient(of: [a]) { $0[0].linear(weight) }
    let (variable, widened) = (weight.asVariable(), weight.dense().asVariable())
    let expected = try a.linear(widened).backward(.random([3, 7]))[widened]
    #expect(try a.linear(variable).backward(.random([3, 7]))[variable]?.floats() == expected?.floats())
    #expect(try variable.dense().backward(weight.dense())[variable]?.floats() == weight.floats())
  }

  @Test("Views, joins, repetition and blocks of rows")
  func views() throws {
    try expectGradient(of: [a]) { $0[0].reshaped([5, 3]) * .random([5, 3], seed: 4) }
    try expectGradient(of: [a]) { $0[0].transposed(0, 1).reshaped([15]) }
    let cube = Tensor.random([2, 3, 4], seed: 5)
    try expectGradient(of: [cube]) { $0[0].permuted(2, 0, 1).dense() }
    try expectGradient(of: [cube]) { $0[0].sliced(1, 1..<3) + $0[0].sliced(-2, 0..<2) }
    try expectGradient(of: [cube]) { $0[0][1] }
    try expectGradient(of: [a, b]) { .concatenated([$0[0], $0[1], $0[0]], axis: 1) }
    try expectGradient(of: [.random([1, 4], seed: 6)]) { $0[0].repeated(3) * .random([3, 4], seed: 7) }
    let weight = Tensor.random([2, 4], seed: 8)
    try expectGradient(of: [.random([2, 5, 4], seed: 9), weight]) { inputs in
      inputs[0].mappingRows(of: 3) { $0.linear(inputs[1]) }
    }
  }

  @Test("Nothing is recorded without a variable, and nothing flows back through a detached tensor")
  func detached() throws {
    #expect(!(a + b).isRecorded)
    let x = a.asVariable()
    #expect((x + b).isRecorded)
    #expect(!(x.detached + b).isRecorded)
    #expect(try (x.detached * x).backward(b)[x]?.floats() == (a * b).floats())
  }
}

@Suite("Gradients of norms, gates and attention against central differences")
struct LayerGradientTests {
  private let input = Tensor.random([2, 70, 19], seed: 1)
  private let weight = Tensor.random([19], seed: 2)
  private let bias = Tensor.random([19], seed: 3)

  @Test("Layer norm with weight, bias and modulated regions")
  func layerNorm() throws {
    let rows = (4..<8).map { Tensor.random([2, 19], seed: $0) }
    try expectGradient(of: [input, weight, bias] + rows) { inputs in
      inputs[0].layerNormalized(
        weight: inputs[1], bias: inputs[2], epsilon: 1e-5,
        modulations: [
          Modulation(tokens: 3..<69, scale: inputs[3], shift: inputs[4]),
          Modulation(tokens: 0..<2, scale: inputs[5], shift: inputs[6]),
        ])
    }
    try expectGradient(of: [input]) { $0[0].layerNormalized(epsilon: 1e-5) }
  }

  @Test("RMS norm")
  func rmsNorm() throws {
    try expectGradient(of: [input, weight]) { $0[0].rmsNormalized(weight: $0[1], epsilon: 1e-6) }
    try expectGradient(of: [input]) { $0[0].rmsNormalized(epsilon: 1e-6) }
  }

  @Test("Gated addition")
  func gates() throws {
    let gates = [Tensor.random([2, 19], seed: 5), .random([2, 19], seed: 6)]
    try expectGradient(of: [input, .random([2, 70, 19], seed: 4)] + gates) { inputs in
      inputs[0].adding(
        inputs[1], gatedBy: [Gate(tokens: 66..<70, gate: inputs[2]), Gate(tokens: 0..<65, gate: inputs[3])])
    }
  }

  @Test("Heads with norm and rotation")
  func heads() throws {
    let angles = Tensor.random([3, 4], seed: 6)
    func paired(_ function: (Float) -> Float) -> Tensor {
      Tensor(angles.floats().flatMap { [function($0), function($0)] }, shape: [3, 8])
    }
    let table = RotaryTable(cosines: paired { 1 - $0 * $0 / 2 }, sines: paired { $0 })
    let input = Tensor.random([2, 5, 16], seed: 7)
    try expectGradient(of: [input, .random([8], seed: 8), .random([8], seed: 9)]) { inputs in
      inputs[0].splitIntoHeads(
        2, norm: HeadNorm(weight: inputs[1], bias: inputs[2], epsilon: 1e-6), rotary: table, rotaryStart: 2)
    }
    try expectGradient(of: [input]) { $0[0].splitIntoHeads(4) }
  }

  @Test("Attention to two parts, over more queries and keys than a tile")
  func attention() throws {
    let size: Shape = [2, 2, 5, 8]
    let small = (1..<6).map { Tensor.random($0 > 2 ? [2, 2, 7, 8] : size, seed: UInt64($0)) }
    try expectGradient(of: [small[0], small[1], small[1].scaled(by: 0.5), small[3], small[4]]) { inputs in
      inputs[0].attending(
        to: [KeyValues(keys: inputs[1], values: inputs[2]), KeyValues(keys: inputs[3], values: inputs[4])])
    }
    let large = (1..<4).map { Tensor.random([1, 2, 600, 8], seed: UInt64($0)) }
    try expectGradient(of: large, samples: 5) { inputs in
      inputs[0].attending(to: [KeyValues(keys: inputs[1], values: inputs[2])], scale: 0.2)
    }
  }

  @Test("Gradients that nobody needs are left out of attention, the others stay the same bits")
  func attentionInParts() throws {
    let parts = (1..<4).map { Tensor.random([1, 2, 20, 8], seed: UInt64($0)) }
    let all = parts.map { $0.asVariable() }
    let seed = Tensor.random([1, 20, 16], seed: 4)
    let expected = try all[0].attending(to: [KeyValues(keys: all[1], values: all[2])]).backward(seed)
    for place in parts.indices {
      var inputs = parts
      inputs[place] = all[place]
      let found = try inputs[0].attending(to: [KeyValues(keys: inputs[1], values: inputs[2])]).backward(seed)
      #expect(found[all[place]]?.floats() == expected[all[place]]?.floats())
    }
  }

  @Test("A second run in the backward pass changes no bit, for several results and tensors from outside")
  func recomputation() throws {
    let (x, outside, weight) = (
      Tensor.random([2, 6, 8], seed: 1).asVariable(), Tensor.random([2, 8], seed: 2).asVariable(),
      Tensor.random([8, 8], seed: 3).asVariable()
    )
    struct Pair: TensorGroup {
      var first: Tensor
      var second: Tensor
      var tensors: [Tensor] { [first, second] }
      func replacing(_ tensors: [Tensor]) -> Pair { Pair(first: tensors[0], second: tensors[1]) }
    }
    @Sendable func step(_ pair: Pair) -> Pair {
      let gate = [Gate(tokens: 0..<6, gate: outside.linear(weight))]
      let first = pair.first.adding(pair.second.linear(weight, .silu), gatedBy: gate)
      return Pair(first: pair.second.adding(first, gatedBy: gate), second: first.layerNormalized(epsilon: 1e-5))
    }
    func gradients(isRecomputed: Bool) throws -> [[Float]] {
      var pair = Pair(first: x, second: x.scaled(by: 0.5))
      for _ in 0..<3 { pair = isRecomputed ? try recomputed(pair, step) : step(pair) }
      let found = try (pair.first * pair.second).backward(.random([2, 6, 8], seed: 4))
      return try [x, outside, weight].map { try #require(found[$0]).floats() }
    }
    #expect(try gradients(isRecomputed: true) == gradients(isRecomputed: false))
  }

  @Test("Gradients do not depend on the number of threads")
  func threads() throws {
    let inputs = [
      Tensor.random([1, 300, 64], seed: 1), .random([64, 64], seed: 2), .random([64], seed: 3), .random([64], seed: 4),
    ].map { $0.asVariable() }
    func gradients() throws -> [[Float]] {
      let normed = inputs[0].layerNormalized(weight: inputs[2], bias: inputs[3], epsilon: 1e-5)
      let heads = normed.linear(inputs[1], bias: inputs[3]).splitIntoHeads(4)
      let attended = heads.attending(to: [KeyValues(keys: heads, values: heads)])
      let found = try attended.backward(.random([1, 300, 64], seed: 5))
      return try inputs.map { try #require(found[$0]).floats() }
    }
    #expect(try withThreads(1, gradients) == withThreads(3, gradients))
  }
}
