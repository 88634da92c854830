import Checkpoints
import Compute
import Layers
import Tensors
import TestSupport
import Testing

@testable import VideoTransformers

/// Outputs and gradients that the published implementation gave for a tiny checkpoint with the paper's ablations.
struct CouplingRecord {
  /// The folder of the checkpoint's transformer.
  let checkpoint: String
  /// A LoRA file of the published trainer.
  let adapters: String
  private let recorded: WeightStore

  /// - Parameters: folder, checkpoint: fixtures.
  init(_ folder: String, checkpoint: String) throws {
    self.checkpoint = Fixtures.path(checkpoint)
    adapters = Fixtures.path("\(folder)/pytorch_lora_weights.safetensors")
    recorded = try WeightStore(file: Fixtures.path("\(folder)/couplings.safetensors"))
  }

  func tensor(_ name: String) throws -> Tensor { try recorded.tensor(named: name) }

  /// The tensors whose names begin with `prefix`, by what follows it.
  func tensors(_ prefix: String) throws -> [String: Tensor] {
    try recorded.names.filter { $0.hasPrefix(prefix) }
      .reduce(into: [:]) { $0[String($1.dropFirst(prefix.count))] = try tensor($1) }
  }

  /// The checkpoint's model, with some tensors replaced or added.
  func load<Model>(
    _ make: (ParameterScope) -> Model, over extra: [String: Tensor] = [:], adapters: [any AdapterSource] = [],
    training isTrainable: @escaping @Sendable (String) -> Bool = { _ in false }
  ) throws -> (transformer: Model, parameters: [Parameter]) {
    let loader = ParameterLoader(
      LayeredSource(TensorSource(tensors: extra), over: try WeightStore(directory: checkpoint)), adapters: adapters,
      training: isTrainable)
    let transformer = make(loader.root)
    try loader.finish()
    try loader.finishAdapters()
    return (transformer, loader.parameters)
  }

  private struct TensorSource: ParameterSource {
    let tensors: [String: Tensor]
    var keys: [String] { Array(tensors.keys) }
    var description: String { "recorded tensors" }
    func tensor(_ key: String, _ shape: Shape) -> Tensor? { tensors[key] }
  }

  /// Compares with all gradients that are recorded under a name.
  func expectGradients(_ name: String, _ found: GradientStore, _ parameters: [Parameter]) throws {
    let gradients = try tensors("\(name).gradient.")
    #expect(!gradients.isEmpty)
    for (key, expected) in gradients {
      let parameter = try #require(parameters.first { $0.key == key }, "\(key)")
      let gradient = try #require(found[parameter.tensor], "\(key)")
      // The tolerance of the recorded training case: float32 against float32 in another order.
      expectClose(gradient, expected, absolute: 5e-5, relative: 2e-3, key)
    }
  }

  /// Compares the predictions of a model with noised references, and the gradients of both together.
  func expectNoisy(_ prediction: (target: Tensor, references: Tensor?), _ parameters: [Parameter]) throws {
    let references = try #require(prediction.references)
    expectClose(prediction.target.detached, try tensor("noisy.output"), absolute: 5e-5, relative: 1e-4)
    expectClose(references.detached, try tensor("noisy.output_mot_ref"), absolute: 5e-5, relative: 1e-4)
    let loss =
      (prediction.target * (try tensor("weights"))).sum() + (references * (try tensor("noisy.weights_mot_ref"))).sum()
    try expectGradients("noisy", try loss.backward(), parameters)
  }

  /// Compares the gradients of a model with adapters, the only parameters that have any.
  func expectAdapters(_ output: Tensor, _ parameters: [Parameter]) throws {
    let found = try output.backward(tensor("weights"))
    try expectGradients("lora", found, parameters)
    #expect(parameters.filter { found[$0.tensor] != nil }.allSatisfy { AdapterKeys.contain($0.key) })
  }

  /// Compares gradients with central differences, and with those of a recomputed pass bit for bit.
  ///
  /// - Parameters:
  ///   - rounding: of the weighted sum of all outputs, which central differences divide by steps of 2^-5 and less.
  ///   - output: the model's, plain or with its segments recomputed.
  func expectSlopes(
    of parameters: [Parameter], rounding: Double, _ output: (_ recomputes: Bool) throws -> Tensor
  ) throws {
    let weights = try tensor("weights")
    let (found, again) = (try output(false).backward(weights), try output(true).backward(weights))
    for parameter in parameters where parameter.isTrainable {
      let value = parameter.tensor.detached
      let gradient = try #require(found[parameter.tensor], "\(parameter.key)")
      #expect(again[parameter.tensor]?.floats() == gradient.floats())
      try TestSupport.expectSlopes(
        gradient, at: value, weights: weights, tolerance: 80 * rounding, samples: 3, parameter.key
      ) { moved in
        parameter.update(to: moved)
        return try output(false)
      }
      parameter.update(to: value)
    }
  }
}
