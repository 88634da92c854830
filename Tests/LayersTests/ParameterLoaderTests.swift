import Checkpoints
import Compute
import Tensors
import TestSupport
import Testing

@testable import Layers

/// Tensors under given names.
struct FixedSource: ParameterSource {
  var tensors: [String: Tensor]
  var keys: [String] { tensors.keys.sorted() }
  var description: String { "test.safetensors" }
  func tensor(_ key: String, _ shape: Shape) -> Tensor? { tensors[key] }
}

@Suite("Parameter loader")
struct ParameterLoaderTests {
  @Test("Scopes join to the published keys, and parameters keep the order of asking")
  func keys() throws {
    let source = FixedSource(tensors: ["top": .zeros([1]), "a.b.0.weight": .random([2, 3]), "a.bias": .random([3])])
    let loader = ParameterLoader(source)
    let scope = loader.root("a")
    let weight = scope("b")(0).parameter("weight", [2, 3])
    _ = scope.parameter("bias", [3])
    _ = loader.root.parameter("top", [1])
    #expect(scope.path == "a" && loader.root.path == "")
    #expect(loader.parameters.map(\.key) == ["a.b.0.weight", "a.bias", "top"])
    #expect(weight.tensor.floats() == source.tensors["a.b.0.weight"]?.floats())
    #expect(weight.shape == [2, 3])
    #expect(try loader.finish().isEmpty)
  }

  @Test("A weight with several names is found under the first that exists, and asked for under the first of all")
  func alternativeNames() throws {
    let source = FixedSource(tensors: ["m.second": .filled([1], with: 2), "m.third": .filled([1], with: 3)])
    let loader = ParameterLoader(source)
    let found = loader.root("m").parameter(firstOf: ["first", "second", "third"], [1])
    #expect(found.key == "m.second" && found.tensor.floats() == [2])
    #expect(loader.root.parameter(firstOf: ["x", "y"], [1]).key == "x")
    #expect(throws: LoadingFailure(source: "test.safetensors", missing: ["x"], faults: [], unused: ["m.third"])) {
      try loader.finish()
    }
  }

  @Test("All faults are reported at once, and nothing half loaded is handed out")
  func faults() throws {
    let integers = Tensor(storage: Storage(byteCount: 8), layout: Layout([2]), dtype: .int32)
    let loader = ParameterLoader(
      FixedSource(tensors: ["wide": .zeros([2, 3]), "whole": integers, "left": .zeros([1]), "good": .zeros([1])]))
    let stand = loader.root.parameter("wide", [3, 2])
    #expect(stand.shape == [3, 2] && stand.tensor.floats() == [0, 0, 0, 0, 0, 0])
    _ = loader.root.parameter("whole", [2])
    _ = loader.root.parameter("absent", [1 << 40, 1 << 10])  // Stands in without taking memory.
    _ = loader.root.parameter("good", [1])
    let failure = try #require(throws: LoadingFailure.self) { try loader.finish(ignoring: { $0 == "left" }) }
    #expect(failure.missing == ["absent"])
    #expect(
      failure.faults == [
        "'wide' has shape [2, 3], the configuration needs [3, 2]",
        "'whole' is stored as int32, not as float32, float16 or bfloat16",
      ])
    #expect(failure.unused.isEmpty)
    #expect(failure.category == .badInput)
    #expect(failure.message.hasPrefix("test.safetensors: "))
  }

  @Test("Keys that no layer asked for are returned, but for ignorable ones")
  func unused() throws {
    let loader = ParameterLoader(FixedSource(tensors: ["a": .zeros([1]), "b": .zeros([1]), "c": .zeros([1])]))
    _ = loader.root.parameter("b", [1])
    #expect(try loader.finish() == ["a", "c"])
    #expect(try loader.finish(ignoring: { $0 == "a" }) == ["c"])
  }

  @Test("M06: messages list ten names and count the rest, with control characters made visible")
  func messages() throws {
    let loader = ParameterLoader(FixedSource(tensors: [:]))
    for index in 0..<12 { _ = loader.root.parameter("key\n\(index)", [1]) }
    let message = try #require(throws: LoadingFailure.self) { try loader.finish() }.message
    #expect(message.contains("12 missing tensors"))
    #expect(message.contains("key\\n9") && !message.contains("key\\n10"))
    #expect(!message.contains("\n"))
  }

  @Test("Errors of the source become faults")
  func sourceErrors() throws {
    struct Broken: ParameterSource {
      var keys: [String] { ["a"] }
      var description: String { "broken" }
      func tensor(_ key: String, _ shape: Shape) throws -> Tensor? {
        throw CheckpointError.missingTensor(path: "broken", name: key)
      }
    }
    let loader = ParameterLoader(Broken())
    _ = loader.root.parameter("a", [1])
    let failure = try #require(throws: LoadingFailure.self) { try loader.finish() }
    #expect(failure.faults == [CheckpointError.missingTensor(path: "broken", name: "a").message])
    #expect(failure.missing.isEmpty)
  }

  @Test("A weight store is a source: present keys give their tensor, others nothing")
  func weightStore() throws {
    let store = try WeightStore(directory: Fixtures.path("cogvideox-tiny/checkpoint/text_encoder"))
    let source: any ParameterSource = store
    #expect(source.keys == store.names)
    #expect(source.description.hasSuffix("text_encoder"))
    #expect(try source.tensor("encoder.final_layer_norm.weight", [32])?.shape == [32])
    #expect(try source.tensor("encoder.nothing", [32]) == nil)
  }
}

@Suite("Random source")
struct RandomSourceTests {
  @Test("Values depend on seed and key alone")
  func determinism() {
    let source = RandomSource(seed: 7)
    let first = source.tensor("a.weight", [4, 3])
    _ = source.tensor("b.weight", [4, 3])
    #expect(RandomSource(seed: 7).tensor("a.weight", [4, 3])?.floats() == first?.floats())
    #expect(source.tensor("b.weight", [4, 3])?.floats() != first?.floats())
    #expect(RandomSource(seed: 8).tensor("a.weight", [4, 3])?.floats() != first?.floats())
  }

  @Test("Weights have unit gain, norm weights lie near one, biases near zero", arguments: [DType.float32, .bfloat16])
  func scales(dtype: DType) throws {
    let source = RandomSource(seed: 1, dtype: dtype)
    let weight = try #require(source.tensor("linear.weight", [100, 400]))
    #expect(weight.dtype == dtype)
    let variance = weight.doubles().reduce(0) { $0 + $1 * $1 } / 40_000
    #expect(abs(variance * 400 - 1) < 0.05)
    let norm = try #require(source.tensor("norm.weight", [100])).doubles()
    #expect(norm.allSatisfy { abs($0 - 1) < 0.3 })
    let bias = try #require(source.tensor("norm.bias", [100])).doubles()
    #expect(bias.allSatisfy { abs($0) < 0.3 })
  }
}
