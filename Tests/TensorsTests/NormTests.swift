import Compute
import Tensors
import TestSupport
import Testing

@Suite("Norms, modulations and gates")
struct NormTests {
  private let batch = 2
  private let tokens = 70
  private let width = 19
  private var input: Tensor { .random([batch, tokens, width], seed: 1) }

  private func normed(_ epsilon: Double) -> [[Double]] {
    input.doubles().rows(of: width).map { Oracle.layerNorm($0, epsilon: epsilon) }
  }

  @Test("Layer norm with and without weight and bias", arguments: [true, false], [true, false])
  func layerNorm(usesWeight: Bool, usesBias: Bool) {
    let weight = usesWeight ? Tensor.random([width], seed: 2) : nil
    let bias = usesBias ? Tensor.random([width], seed: 3).stored(as: .bfloat16) : nil
    let (scales, offsets) = (weight?.doubles(), bias?.doubles())
    let expected = normed(1e-5).flatMap { row in
      row.indices.map { row[$0] * (scales?[$0] ?? 1) + (offsets?[$0] ?? 0) }
    }
    expectClose(
      input.layerNormalized(weight: weight, bias: bias, epsilon: 1e-5), Tensor(rounding: expected, shape: input.shape),
      absolute: 5e-6)
  }

  @Test("Regions of tokens are modulated by their own sample's rows, the rest is left")
  func modulated() {
    func rows(_ seed: UInt64) -> Tensor { .random([batch, width], seed: seed) }
    let regions = [
      Modulation(tokens: 60..<70, scale: rows(2), shift: rows(3)),
      Modulation(tokens: 0..<7, scale: rows(4), shift: rows(5)),
    ]
    let found = input.layerNormalized(epsilon: 1e-5, modulations: regions)
    let expected = normed(1e-5).enumerated().flatMap { index, row in
      let (sample, token) = (index / tokens, index % tokens)
      guard let region = regions.first(where: { $0.tokens.contains(token) }) else { return row }
      let (scale, shift) = (region.scale[sample].doubles(), region.shift[sample].doubles())
      return row.indices.map { row[$0] * (1 + scale[$0]) + shift[$0] }
    }
    expectClose(found, Tensor(rounding: expected, shape: input.shape), absolute: 1e-5)
    #expect(found.sliced(1, 7..<60).floats() == input.layerNormalized(epsilon: 1e-5).sliced(1, 7..<60).floats())
  }

  @Test("Modulations may be views of one projection")
  func modulationViews() {
    let projection = Tensor.random([batch, 2 * width], seed: 2)
    let (scale, shift) = (projection.sliced(1, width..<2 * width), projection.sliced(1, 0..<width))
    func normed(_ scale: Tensor, _ shift: Tensor) -> [Float] {
      let modulation = Modulation(tokens: 0..<tokens, scale: scale, shift: shift)
      return input.layerNormalized(epsilon: 1e-5, modulations: [modulation]).floats()
    }
    #expect(normed(scale, shift) == normed(scale.dense(), shift.dense()))
  }

  @Test("RMS norm with and without weight", arguments: [true, false])
  func rmsNorm(usesWeight: Bool) {
    let weight = usesWeight ? Tensor.random([width], seed: 2).stored(as: .float16) : nil
    let scales = weight?.doubles()
    let expected = input.doubles().rows(of: width).flatMap { row in
      Oracle.rmsNorm(row, epsilon: 1e-6).enumerated().map { $1 * (scales?[$0] ?? 1) }
    }
    expectClose(
      input.rmsNormalized(weight: weight, epsilon: 1e-6), Tensor(rounding: expected, shape: input.shape),
      absolute: 1e-6,
      relative: 1e-6)
  }

  @Test("Gated addition adds in the gates' regions only")
  func gated() {
    let update = Tensor.random(input.shape, seed: 2)
    let gates = [
      Gate(tokens: 3..<40, gate: .random([batch, width], seed: 3)),
      Gate(tokens: 40..<65, gate: .random([batch, width], seed: 4)),
    ]
    let found = input.adding(update, gatedBy: gates)
    let (x, y) = (input.doubles().rows(of: width), update.doubles().rows(of: width))
    let expected = x.indices.flatMap { index in
      let (sample, token) = (index / tokens, index % tokens)
      guard let gate = gates.first(where: { $0.tokens.contains(token) })?.gate[sample].doubles() else {
        return x[index]
      }
      return (0..<width).map { x[index][$0] + gate[$0] * y[index][$0] }
    }
    expectClose(found, Tensor(rounding: expected, shape: input.shape), absolute: 1e-6)
    #expect(found.sliced(1, 0..<3).floats() == input.sliced(1, 0..<3).floats())
    #expect(found.sliced(1, 65..<70).floats() == input.sliced(1, 65..<70).floats())
  }
}
