import Compute
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Layers

@Suite("Starting points")
struct StartingPointTests {
  @Test("Fresh values depend on seed and key, not on order")
  func order() throws {
    func values(_ keys: [String], seed: UInt64) throws -> [String: [Float]] {
      let loader = ParameterLoader(FreshSource(seed: seed))
      let parameters = keys.map { loader.root.parameter($0, [4, 6]) }
      return Dictionary(uniqueKeysWithValues: parameters.map { ($0.key, $0.tensor.floats()) })
    }
    let first = try values(["a.weight", "b.weight"], seed: 1)
    #expect(try values(["b.weight", "a.weight"], seed: 1) == first)
    #expect(first["a.weight"] != first["b.weight"])
    #expect(try values(["a.weight"], seed: 2)["a.weight"] != first["a.weight"])
  }

  @Test(
    "Linear maps and convolutions start uniform within the inverse root of their fan-in, biases too; norms at 1 and 0")
  func distributions() throws {
    let loader = ParameterLoader(FreshSource(seed: 3))
    _ = Linear(loader.root("linear"), inputs: 100, outputs: 300)
    _ = Conv2D(loader.root("plane"), inputs: 4, outputs: 500)
    _ = CausalConv3D(loader.root("causal"), inputs: 3, outputs: 200, padding: .zeros)
    _ = LayerNorm(loader.root("norm"), width: 5, epsilon: 1e-5)
    let parameters = Dictionary(uniqueKeysWithValues: loader.parameters.map { ($0.key, $0.tensor.floats()) })
    for (name, fanIn) in [("linear", 100.0), ("plane", 36), ("causal", 81)] {
      let bound = 1 / fanIn.squareRoot()
      for part in ["weight", "bias"] {
        let values = try #require(parameters["\(name).\(part)"]).map(Double.init)
        let deviation = (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
        #expect(values.allSatisfy { abs($0) <= bound })
        // Of a uniform distribution: bound / sqrt 3.
        #expect(abs(deviation / (bound / 3.0.squareRoot()) - 1) < 0.1, "\(name).\(part)")
      }
    }
    #expect(parameters["norm.weight"] == [1, 1, 1, 1, 1])
    #expect(parameters["norm.bias"] == [0, 0, 0, 0, 0])
  }

  @Test("An expert starts as a copy of the base, its own embeddings at zero; an expert that is there stays")
  func copiedExpert() throws {
    let source = FixedSource(tensors: [
      "attn1.to_q.weight": .random([2, 2], seed: 1), "norm.weight": .random([3], seed: 2),
      "norm_mot_ref.weight": .random([3], seed: 3),
    ])
    let loader = ParameterLoader(CopiedExpertSource(source, suffix: "_mot_ref"))
    let copied = loader.root("attn1_mot_ref")("to_q").parameter("weight", [2, 2])
    #expect(copied.tensor.floats() == source.tensors["attn1.to_q.weight"]?.floats())
    #expect(
      loader.root("norm_mot_ref").parameter("weight", [3]).tensor.floats()
        == source.tensors["norm_mot_ref.weight"]?.floats())
    let again = ParameterLoader(CopiedExpertSource(BaseOnlySource(source, suffix: "_mot_ref"), suffix: "_mot_ref"))
    #expect(
      again.root("norm_mot_ref").parameter("weight", [3]).tensor.floats()
        == source.tensors["norm.weight"]?.floats())
    #expect(loader.root("ref_embeddings").parameter("ref_0", [1, 1, 4]).tensor.floats() == [0, 0, 0, 0])
    _ = loader.root("attn1_mot_ref")("to_k").parameter("weight", [2, 2])
    let failure = try #require(throws: LoadingFailure.self) { try loader.finish() }
    #expect(failure.missing == ["attn1_mot_ref.to_k.weight"])
  }

  @Test("A fresh model's expert is a copy of its fresh base")
  func freshExpert() throws {
    let loader = ParameterLoader(CopiedExpertSource(FreshSource(seed: 1), suffix: "_mot_ref"))
    let base = loader.root("ff").parameter("weight", [3, 3])
    #expect(loader.root("ff_mot_ref").parameter("weight", [3, 3]).tensor.floats() == base.tensor.floats())
  }

  @Test("One source's tensors lie over another's")
  func layers() throws {
    let base = FixedSource(tensors: ["a": .filled([1], with: 1), "b": .filled([1], with: 2)])
    let top = FixedSource(tensors: ["b": .filled([1], with: 3), "c": .filled([1], with: 4)])
    let source = LayeredSource(top, over: base)
    #expect(source.keys == ["a", "b", "c"])
    let loader = ParameterLoader(source)
    #expect(["a", "b", "c"].map { loader.root.parameter($0, [1]).tensor.floats() } == [[1], [3], [4]])
    #expect(try loader.finish().isEmpty)
  }
}
