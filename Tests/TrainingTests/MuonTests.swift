import Compute
import Layers
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite("Muon")
struct MuonTests {
  /// The rule in float64, for one matrix of row-major values.
  private struct Oracle {
    let rows: Int
    let columns: Int
    var value: [Double]
    var momentum: [Double]

    init(_ value: [Double], rows: Int, columns: Int) {
      (self.rows, self.columns, self.value) = (rows, columns, value)
      momentum = value.map { _ in 0 }
    }

    mutating func update(_ gradient: [Double], rate: Double, kept: Double, decay: Double) {
      momentum = zip(momentum, gradient).map { kept * $0 + (1 - kept) * $1 }
      let look = zip(momentum, gradient).map { kept * $0 + (1 - kept) * $1 }
      let step = rate * 0.2 * Double(max(rows, columns)).squareRoot()
      let direction = Self.orthogonalized(look, rows, columns)
      value = zip(value, direction).map { (1 - rate * decay) * $0 - step * $1 }
    }

    static func orthogonalized(_ values: [Double], _ rows: Int, _ columns: Int) -> [Double] {
      func product(_ a: [Double], _ b: [Double], _ m: Int, _ n: Int, _ k: Int) -> [Double] {
        (0..<m * n).map { place in
          (0..<k).reduce(0) { $0 + a[place / n * k + $1] * b[$1 * n + place % n] }
        }
      }
      func transposed(_ a: [Double], _ m: Int, _ n: Int) -> [Double] { (0..<m * n).map { a[$0 % m * n + $0 / m] } }
      if rows > columns {
        return transposed(orthogonalized(transposed(values, rows, columns), columns, rows), columns, rows)
      }
      let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
      var x = values.map { $0 / (length + 1e-7) }
      for _ in 0..<5 {
        let gram = product(x, transposed(x, rows, columns), rows, rows, columns)
        let square = product(gram, gram, rows, rows, rows)
        let factor = zip(gram, square).map { -4.7750 * $0 + 2.0315 * $1 }
        x = zip(x, product(factor, x, rows, columns, rows)).map { 3.4445 * $0 + $1 }
      }
      return x
    }
  }

  @Test(
    "three updates agree with the definition in float64: wide, tall and square matrices, and a convolution's weight",
    arguments: [[12, 30], [30, 12], [16, 16], [6, 2, 3, 3, 3]])
  func updates(extents: [Int]) {
    let shape = Shape(extents)
    let parameter = Parameter(key: "blocks.0.to_q.weight", tensor: .random(shape, seed: 1), isTrainable: true)
    var muon = Muon(Muon.Settings(rateRatio: 2, momentum: 0.9, weightDecay: 0.1))
    muon.prepare([parameter])
    var oracle = Oracle(parameter.tensor.doubles(), rows: shape[0], columns: shape.count / shape[0])
    for step in 1...3 {
      let gradient = Tensor.random(shape, seed: UInt64(step) + 1)
      muon.update([(parameter, gradient)], gradientScale: 0.5, learningRate: 0.01)
      oracle.update(gradient.doubles().map { $0 * 0.5 }, rate: 0.02, kept: 0.9, decay: 0.1)
      expectClose(parameter.tensor, Tensor(rounding: oracle.value, shape: shape), absolute: 2e-5)
    }
    #expect(parameter.tensor.isRecorded)
  }

  @Test(
    "the direction keeps singular vectors and has singular values near 1", arguments: [[20, 50], [50, 20], [24, 24]])
  func direction(extents: [Int]) {
    let matrix = Tensor.random(Shape(extents), seed: 3)
    let result = Muon.orthogonalized(matrix, iterations: 5)
    // U f(S) V' times V S U' is symmetric.
    let product = result.linear(matrix)
    expectClose(product, product.transposed(0, 1), absolute: 2e-3)
    let small = extents[0] <= extents[1] ? result : result.transposed(0, 1).gathered()
    let gram = small.linear(small)
    for seed in 0..<8 as Range<UInt64> {
      let vector = Tensor.random([1, gram.shape[0]], seed: seed)
      let ratio = (vector.linear(gram).squaredNorm() / vector.squaredNorm()).squareRoot()
      // Squares of singular values of 0.7...1.2, and smaller ones where the matrix has nearly none.
      #expect((0.4...1.5).contains(ratio), "\(ratio)")
    }
  }

  @Test("maps inside of blocks and convolutions are matrices; embeddings, modulations, heads and tables are not")
  func matrices() {
    for (key, shape) in [
      ("transformer_blocks.0.attn1.to_q.weight", [8, 8]),
      ("transformer_blocks.0.ff_mot_ref.net.0.proj.weight", [32, 8]),
      ("encoder.conv_in.conv.weight", [8, 3, 3, 3, 3]), ("decoder.up_blocks.0.upsamplers.0.conv.weight", [8, 8, 3, 3]),
    ] { #expect(Muon.isMatrix(key, Shape(shape)), "\(key)") }
    for (key, shape) in [
      ("transformer_blocks.0.norm1.linear.weight", [48, 8]), ("patch_embed.proj.weight", [8, 4, 2, 2]),
      ("patch_embed.pos_embedding", [1, 9, 8]), ("proj_out.weight", [16, 8]),
      ("transformer_blocks.0.attn1.to_q.bias", [8]),
      ("blocks.0.scale_shift_table", [1, 6, 8]),
    ] { #expect(!Muon.isMatrix(key, Shape(shape)), "\(key)") }
  }

  private func parameters() -> [Parameter] {
    [
      Parameter(key: "blocks.0.to_q.weight", tensor: .random([6, 9], seed: 1), isTrainable: true),
      Parameter(key: "blocks.0.to_q.bias", tensor: .random([6], seed: 2), isTrainable: true),
    ]
  }

  private func update(_ muon: inout Muon, _ parameters: [Parameter], steps: Range<UInt64>) {
    for step in steps {
      muon.update(
        parameters.map { ($0, .random($0.shape, seed: 10 + step)) }, gradientScale: 1, learningRate: 0.01)
    }
  }

  @Test("a state that is saved and restored goes on with the same bits; others are AdamW's")
  func state() throws {
    let (whole, parts) = (parameters(), parameters())
    var (first, second) = (Muon(), Muon())
    update(&first, whole, steps: 0..<4)
    update(&second, parts, steps: 0..<2)
    var resumed = Muon()
    try resumed.restore(second.state, for: parts, path: "run")
    update(&resumed, parts, steps: 2..<4)
    for (expected, found) in zip(whole, parts) { #expect(found.tensor.floats() == expected.tensor.floats()) }
    #expect(
      first.state.tensors.keys.sorted() == [
        "first.blocks.0.to_q.bias", "momentum.blocks.0.to_q.weight", "second.blocks.0.to_q.bias",
      ])
    #expect(first.state.updates == ["blocks.0.to_q.weight": 4, "blocks.0.to_q.bias": 4])
    var state = first.state
    state.tensors["momentum.blocks.0.to_q.weight"] = .zeros([9, 6])
    #expect(throws: CheckpointFailure.optimizerTensor(path: "run", name: "momentum.blocks.0.to_q.weight")) {
      try resumed.restore(state, for: parts, path: "run")
    }
  }

  @Test("results do not depend on the number of threads")
  func threads() {
    func values(_ count: Int) -> [Float] {
      withThreads(count) {
        let parameters = parameters()
        var muon = Muon()
        update(&muon, parameters, steps: 0..<2)
        return parameters.flatMap { $0.tensor.floats() }
      }
    }
    #expect(values(1) == values(2))
  }
}
