import Compute
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Layers

@Suite("Layers")
struct LayerTests {
  private let loader = ParameterLoader(RandomSource(seed: 5))
  private var scope: ParameterScope { loader.root("layer") }

  /// `key shape` of all parameters handed out so far.
  private var parameters: [String] { loader.parameters.map { "\($0.key) \($0.shape)" } }
  private func tensor(_ key: String) throws -> Tensor {
    try #require(loader.parameters.first { $0.key == "layer.\(key)" }).tensor
  }

  @Test("Linear: keys, shapes and values")
  func linear() throws {
    let layer = Linear(scope, inputs: 5, outputs: 3)
    #expect(parameters == ["layer.weight [3, 5]", "layer.bias [3]"])
    let input = Tensor.random([2, 4, 5])
    #expect(
      layer(input, .silu).floats()
        == input.linear(try tensor("weight"), bias: try tensor("bias"), .silu).floats())
    _ = Linear(loader.root("plain"), inputs: 5, outputs: 3, usesBias: false)
    #expect(parameters.last == "plain.weight [3, 5]")
  }

  @Test("Norms: keys, shapes and values")
  func norms() throws {
    let input = Tensor.random([2, 3, 6], seed: 1)
    let layerNorm = LayerNorm(scope, width: 6, epsilon: 1e-5)
    #expect(parameters == ["layer.weight [6]", "layer.bias [6]"])
    let modulation = Modulation(tokens: 1..<2, scale: .random([2, 6], seed: 2), shift: .random([2, 6], seed: 3))
    #expect(
      layerNorm(input, [modulation]).floats()
        == input.layerNormalized(
          weight: try tensor("weight"), bias: try tensor("bias"), epsilon: 1e-5, modulations: [modulation]
        ).floats())

    let plain = LayerNorm(scope("plain"), width: 6, epsilon: 1e-6, isAffine: false)
    #expect(loader.parameters.count == 2)
    #expect(plain(input).floats() == input.layerNormalized(epsilon: 1e-6).floats())

    let rms = RMSNorm(scope("rms"), width: 6, epsilon: 1e-6)
    #expect(rms(input).floats() == input.rmsNormalized(weight: try tensor("rms.weight"), epsilon: 1e-6).floats())

    let head = HeadLayerNorm(scope("head"), headSize: 3, epsilon: 1e-6).norm
    #expect(parameters.suffix(2) == ["layer.head.weight [3]", "layer.head.bias [3]"])
    #expect(head.epsilon == 1e-6)
    #expect(head.weight.floats() == (try tensor("head.weight").floats()))
  }

  @Test("Feed-forward: blocks of tokens give what all tokens give", arguments: [1, 3, 2048, 2049, 5000])
  func feedForward(tokens: Int) throws {
    let layer = FeedForward(scope, width: 4, hidden: 9)
    #expect(
      parameters == [
        "layer.net.0.proj.weight [9, 4]", "layer.net.0.proj.bias [9]", "layer.net.2.weight [4, 9]",
        "layer.net.2.bias [4]",
      ])
    let input = Tensor.random([1, tokens, 4])
    let hidden = input.linear(try tensor("net.0.proj.weight"), bias: try tensor("net.0.proj.bias"), .geluTanh)
    expectClose(
      layer(input), hidden.linear(try tensor("net.2.weight"), bias: try tensor("net.2.bias")), absolute: 2e-6)
  }

  @Test("Timestep embedding: linear, SiLU, linear")
  func timestepEmbedding() throws {
    let layer = EmbeddingProjection(scope, inputs: 4, outputs: 6)
    #expect(
      parameters == [
        "layer.linear_1.weight [6, 4]", "layer.linear_1.bias [6]", "layer.linear_2.weight [6, 6]",
        "layer.linear_2.bias [6]",
      ])
    let input = Tensor.random([3, 4])
    #expect(
      layer(input).floats()
        == input.linear(try tensor("linear_1.weight"), bias: try tensor("linear_1.bias"), .silu)
        .linear(try tensor("linear_2.weight"), bias: try tensor("linear_2.bias")).floats())
  }

  @Test("Sinusoids have falling frequencies, cosines before sines or after", arguments: [true, false], [0, 1])
  func sinusoids(isCosineFirst: Bool, shift: Float) {
    let (width, timesteps) = (16, [Float(0), 1, 500.5, 999])
    let found = sinusoidalEmbedding(timesteps, width: width, isCosineFirst: isCosineFirst, frequencyShift: shift)
    let half = width / 2
    let expected = timesteps.flatMap { timestep in
      let angles = (0..<half).map { Double(timestep) * exp(-log(10_000) * Double($0) / (Double(half) - Double(shift))) }
      return isCosineFirst
        ? angles.map { cos($0) } + angles.map { sin($0) } : angles.map { sin($0) } + angles.map { cos($0) }
    }
    // Frequencies and angles are float32, so the angle of timestep 999 is off by up to 999 2^-23.
    expectClose(found, Tensor(rounding: expected, shape: [timesteps.count, width]), absolute: 2e-4)
  }

  @Test("Sinusoids of an odd width end in a zero")
  func oddSinusoids() {
    let found = sinusoidalEmbedding([3, 4], width: 5).floats().rows(of: 5)
    #expect(found.allSatisfy { $0[4] == 0 })
  }
}
