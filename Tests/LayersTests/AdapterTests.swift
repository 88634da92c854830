import Checkpoints
import Compute
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Layers

@Suite("LoRA adapters")
struct AdapterTests {
  private let directory: TemporaryDirectory
  private let weight = Tensor.random([5, 4], seed: 1)
  private let bias = Tensor.random([5], seed: 2)
  private let down = Tensor.random([2, 4], seed: 3)
  private let up = Tensor.random([5, 2], seed: 4)
  private let input = Tensor.random([3, 4], seed: 5)

  init() throws { directory = try TemporaryDirectory() }

  private var source: FixedSource {
    FixedSource(tensors: ["blocks.0.to_q.weight": weight, "blocks.0.to_q.bias": bias])
  }

  private func file(_ tensors: [String: Tensor], metadata: [String: String] = [:]) throws -> String {
    let path = directory.file("\(UUID().uuidString).safetensors")
    try SafetensorsWriter.write(tensors.map { (name: $0.key, tensor: $0.value) }, metadata: metadata, to: path)
    return path
  }

  private func mapped(_ adapters: [any AdapterSource]) throws -> (ParameterLoader, Tensor) {
    let loader = ParameterLoader(source, adapters: adapters)
    let linear = Linear(loader.root("blocks")(0)("to_q"), inputs: 4, outputs: 5)
    try loader.finishAdapters()
    return (loader, linear(input, .silu))
  }

  private func expected(scale: Float) -> Tensor {
    let change = input.linear(down).linear(up).scaled(by: scale)
    return (input.linear(weight, bias: bias) + change).activated(.silu)
  }

  @Test(
    "Files in every layout change the map by alpha / rank times the given scale",
    arguments: [
      ("transformer.blocks.0.to_q.lora_A.weight", "transformer.blocks.0.to_q.lora_B.weight"),
      ("base_model.model.blocks.0.to_q.lora_A.default.weight", "base_model.model.blocks.0.to_q.lora_B.default.weight"),
      ("transformer.blocks.0.to_q.lora.down.weight", "transformer.blocks.0.to_q.lora.up.weight"),
      ("blocks.0.to_q.lora_down.weight", "blocks.0.to_q.lora_up.weight"),
    ])
  func layouts(downKey: String, upKey: String) throws {
    let plain = try AdapterFile(path: file([downKey: down, upKey: up]), scale: 0.5)
    expectClose(try mapped([plain]).1, expected(scale: 0.5), absolute: 1e-6)
    #expect(plain.paths == ["blocks.0.to_q"] && plain.ranks == [2] && plain.parameterCount == 18)
    let alpha = String(upKey.prefix { $0 != "q" }) + "q.alpha"
    let scaled = try AdapterFile(path: file([downKey: down, upKey: up, alpha: Tensor([6])]))
    expectClose(try mapped([scaled]).1, expected(scale: 3), absolute: 1e-5)
    let config = ["lora_config": #"{"r": 2, "lora_alpha": 8, "target_modules": "x"}"#]
    let published = try AdapterFile(path: file([downKey: down, upKey: up], metadata: config))
    expectClose(try mapped([published]).1, expected(scale: 4), absolute: 1e-5)
    let diffusers = ["lora_adapter_metadata": #"{"transformer.r": 2, "transformer.lora_alpha": 8}"#]
    #expect(try AdapterFile(path: file([downKey: down, upKey: up], metadata: diffusers)).alpha == 8)
  }

  @Test("Several files add up")
  func several() throws {
    let path = try file([
      "transformer.blocks.0.to_q.lora_A.weight": down, "transformer.blocks.0.to_q.lora_B.weight": up,
    ])
    let adapters = [try AdapterFile(path: path, scale: 2), try AdapterFile(path: path, scale: -0.5)]
    expectClose(try mapped(adapters).1, expected(scale: 1.5), absolute: 1e-5)
  }

  @Test("Files that are no LoRA, or of another model, are refused with a name")
  func refusals() throws {
    let (a, b) = ("transformer.blocks.0.to_q.lora_A.weight", "transformer.blocks.0.to_q.lora_B.weight")
    func refused(_ tensors: [String: Tensor], metadata: [String: String] = [:], _ part: String) throws {
      let failure = try #require(throws: AdapterFailure.self) {
        _ = try mapped([try AdapterFile(path: try file(tensors, metadata: metadata))])
      }
      #expect(failure.message.contains(part), "\(failure.message)")
      #expect(!failure.message.contains("\n"))
    }
    try refused([:], "no LoRA")
    try refused([a: down], "lacks its B")
    try refused([b: up], "lacks its A")
    try refused([a: down, b: up, "transformer.blocks.0.to_q.weight": weight], "no tensor of a LoRA file")
    try refused([a: down, b: .zeros([5, 3])], "[2, 4] and [5, 3]")
    try refused([a: .zeros([2, 3]), b: up], "needs [rank, 4] and [5, rank]")
    try refused([a.replacing("to_q", with: "to_z"): down, b.replacing("to_q", with: "to_z"): up], "to_z")
    try refused([a: down, b: up], metadata: ["lora_config": "{"], "no JSON")
    try refused([a: down, b: up], metadata: ["lora_config": #"{"r": 3}"#], "rank 3")
    try refused([a: down, b: up], metadata: ["lora_config": #"{"lora_alpha": "x"}"#], "lora_alpha")
    try refused([a: down, b: up], metadata: ["lora_config": #"{"use_dora": true}"#], "use_dora")
    try refused([a: down, b: up, a.replacing("lora_A.weight", with: "alpha"): .zeros([2])], "no single number")
  }

  @Test("New adapters change nothing at first, and only they have gradients")
  func fresh() throws {
    let adapters = FreshAdapters(rank: 2, alpha: 4, seed: 1) { $0.hasSuffix("to_q") }
    let (loader, output) = try mapped([adapters])
    #expect(output.floats() == input.linear(weight, bias: bias).activated(.silu).floats())
    let trained = loader.parameters.filter(\.isTrainable)
    #expect(trained.map(\.key) == ["blocks.0.to_q.lora_A.weight", "blocks.0.to_q.lora_B.weight"])
    #expect(trained.map(\.shape) == [[2, 4], [5, 2]])
    let found = try output.backward(.random([3, 5]))
    #expect(found[trained[0].tensor]?.floats() == [Float](repeating: 0, count: 8))
    #expect(found[trained[1].tensor]?.floats().contains { $0 != 0 } == true)
    #expect(try mapped([FreshAdapters(rank: 2, alpha: 4, seed: 1) { $0 == "elsewhere" }]).0.parameters.count == 2)
  }

  @Test("Gradients of both matrices and of the input agree with central differences")
  func gradients() throws {
    try expectGradient(of: [input, down, up]) { inputs in
      inputs[0].linear(inputs[1]).scaled(by: 3).linear(inputs[2])
    }
    let path = try file(["blocks.0.to_q.lora_A.weight": down, "blocks.0.to_q.lora_B.weight": up])
    let (loader, output) = try mapped([try AdapterFile(path: path, isTrainable: true)])
    let weights = Tensor.random(output.shape, seed: 9)
    let found = try output.backward(weights)
    for parameter in loader.parameters.filter(\.isTrainable) {
      let gradient = try #require(found[parameter.tensor])
      let isDown = parameter.key.hasSuffix(AdapterKeys.down)
      try expectSlopes(gradient, at: isDown ? down : up, weights: weights, samples: 8, parameter.key) { moved in
        let change = input.linear(isDown ? moved : down).linear(isDown ? up : moved)
        return (input.linear(weight, bias: bias) + change).activated(.silu)
      }
    }
  }

  @Test("Written adapters are read back, with what the file says of them")
  func writing() throws {
    let (loader, _) = try mapped([FreshAdapters(rank: 2, alpha: 5, seed: 1) { _ in true }])
    loader.parameters.first { $0.key.hasSuffix(AdapterKeys.up) }?.update(to: up)
    let path = directory.file("written.safetensors")
    try AdapterFile.write(
      loader.parameters.map { ($0.key, $0.tensor) },
      AdapterExport(rank: 2, alpha: 5, targets: #"(a|b).*"c\d""#, notes: ["coupling": "in-context"]), to: path)
    let read = try AdapterFile(path: path)
    #expect(read.alpha == 5 && read.notes == ["coupling": "in-context"] && read.paths == ["blocks.0.to_q"])
    let reader = try SafetensorsReader(path: path)
    #expect(
      reader.names.sorted() == [
        "transformer.blocks.0.to_q.lora_A.weight", "transformer.blocks.0.to_q.lora_B.weight",
      ])
    #expect(reader.metadata["lora_config"]?.contains(#""lora_alpha": 5,"#) == true)
    #expect(try read.adapter(at: "blocks.0.to_q", inputs: 4, outputs: 5)?.up.floats() == up.floats())
  }
}
