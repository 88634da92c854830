import Compute
import Tensors
import TestSupport
import Testing

@testable import Layers

@Suite("Layers over planes")
struct PlanarLayerTests {
  private let loader = ParameterLoader(RandomSource(seed: 6))
  private var scope: ParameterScope { loader.root("layer") }
  private var parameters: [String] { loader.parameters.map { "\($0.key) \($0.shape)" } }
  private func tensor(_ key: String) throws -> Tensor {
    try #require(loader.parameters.first { $0.key == "layer.\(key)" }).tensor
  }

  @Test("Conv2D: keys, shapes and values; one tap is a linear map")
  func convolution() throws {
    let layer = Conv2D(scope, inputs: 5, outputs: 3, height: 1, width: 5, stride: 2)
    #expect(parameters == ["layer.weight [3, 5, 1, 5]", "layer.bias [3]"])
    let input = Tensor.random([2, 6, 8, 5])
    expectClose(
      layer(input, activation: .relu),
      input.convolved(try tensor("weight"), bias: try tensor("bias"), stride: 2, activation: .relu), absolute: 0)
    let pointwise = Conv2D(loader.root("one"), inputs: 5, outputs: 4, height: 1, width: 1)
    let weights = loader.parameters.suffix(2).map(\.tensor)
    expectClose(pointwise(input), input.convolved(weights[0], bias: weights[1]), absolute: 2e-6)
  }

  @Test("PReLUConv2D: keys, shapes and values")
  func slopes() throws {
    let layer = PReLUConv2D(scope, inputs: 3, outputs: 4)
    #expect(parameters == ["layer.0.weight [4, 3, 3, 3]", "layer.0.bias [4]", "layer.1.weight [4]"])
    let input = Tensor.random([1, 4, 5, 3])
    let plain = input.convolved(try tensor("0.weight"), bias: try tensor("0.bias"))
    let slopes = try tensor("1.weight").floats()
    let bent = plain.floats().enumerated().map { $1 > 0 ? $1 : $1 * slopes[$0 % 4] }
    expectClose(layer(input), Tensor(bent, shape: plain.shape), absolute: 1e-6)
  }

  @Test("TransposedConv2D: each pixel adds its 4 x 4 taps to the pixels around twice its place")
  func transposed() throws {
    let layer = TransposedConv2D(scope, inputs: 3, outputs: 2)
    #expect(parameters == ["layer.weight [3, 2, 4, 4]", "layer.bias [2]"])
    let (frames, height, width) = (2, 3, 5)
    let input = Tensor.random([frames, height, width, 3])
    let (pixels, weights, bias) = (
      input.doubles(), try tensor("weight").doubles(), try tensor("bias").doubles()
    )
    var expected = [Double](repeating: 0, count: frames * 4 * height * width * 2)
    for index in expected.indices { expected[index] = bias[index % 2] }
    for (index, pixel) in pixels.enumerated() {
      let (channel, column) = (index % 3, index / 3 % width)
      let (row, frame) = (index / 3 / width % height, index / 3 / width / height)
      for output in 0..<2 {
        for tap in 0..<16 {
          let (y, x) = (2 * row - 1 + tap / 4, 2 * column - 1 + tap % 4)
          guard (0..<2 * height).contains(y), (0..<2 * width).contains(x) else { continue }
          expected[((frame * 2 * height + y) * 2 * width + x) * 2 + output] +=
            pixel * weights[(channel * 2 + output) * 16 + tap]
        }
      }
    }
    expectClose(
      layer(input), Tensor(rounding: expected, shape: [frames, 2 * height, 2 * width, 2]), absolute: 5e-6)
  }

  private struct Weights: ParameterSource {
    let keys: [String]
    var description: String { "weights" }
    func tensor(_ key: String, _ shape: Shape) -> Tensor? { keys.contains(key) ? .filled(shape, with: 2) : nil }
  }

  @Test("a common prefix is left out; without a common one keys stay as they are")
  func prefixes() throws {
    let wrapped = UnprefixedSource(Weights(keys: ["module.a", "module.b"]), prefix: "module.")
    #expect(wrapped.keys == ["a", "b"])
    #expect(try wrapped.tensor("a", [1]) != nil)
    #expect(try wrapped.tensor("module.a", [1]) == nil)
    let mixed = UnprefixedSource(Weights(keys: ["module.a", "b"]), prefix: "module.")
    #expect(mixed.keys == ["module.a", "b"])
    #expect(try mixed.tensor("b", [1]) != nil)
  }

  @Test("keys that no layer asked for are faults where a file must fit exactly")
  func exactLoading() throws {
    let loader = ParameterLoader(Weights(keys: ["weight", "bias", "extra"]))
    _ = Linear(loader.root, inputs: 1, outputs: 1)
    try loader.finishExactly { $0 == "extra" }
    let failure = #expect(throws: LoadingFailure.self) { try loader.finishExactly() }
    #expect(failure?.unused == ["extra"])
  }
}
