import Checkpoints
import Compute
import Foundation
import Layers
import Tensors
import TestSupport
import Testing

@testable import VideoTransformers

/// The paper's ablations against outputs and gradients that the published implementation gave for the tests' tiny
/// checkpoint, recorded in `couplings`.
@Suite("Couplings")
struct CouplingTests {
  private static let checkpoint = Fixtures.path("cogvideox-tiny/checkpoint/transformer")
  private let recorded: WeightStore

  init() throws { recorded = try WeightStore(file: Fixtures.path("couplings/couplings.safetensors")) }

  private func tensor(_ name: String) throws -> Tensor { try recorded.tensor(named: name) }

  private static func configuration(_ change: (inout CogVideoXConfiguration) -> Void) throws -> CogVideoXConfiguration {
    var configuration = try ConfigFile.decode(CogVideoXConfiguration.self, at: checkpoint + "/config.json")
    change(&configuration)
    try configuration.validate()
    return configuration
  }

  private struct Model {
    let transformer: CogVideoXTransformer
    let parameters: [Parameter]

    init(
      _ configuration: CogVideoXConfiguration, over extra: [String: Tensor] = [:], adapters: [any AdapterSource] = [],
      training isTrainable: @escaping @Sendable (String) -> Bool = { _ in false }
    ) throws {
      let base = try WeightStore(directory: CouplingTests.checkpoint)
      let loader = ParameterLoader(
        LayeredSource(TensorSource(tensors: extra), over: base), adapters: adapters, training: isTrainable)
      transformer = CogVideoXTransformer(loader.root, configuration)
      try loader.finish()
      try loader.finishAdapters()
      parameters = loader.parameters
    }
  }

  private struct TensorSource: ParameterSource {
    let tensors: [String: Tensor]
    var keys: [String] { Array(tensors.keys) }
    var description: String { "recorded tensors" }
    func tensor(_ key: String, _ shape: Shape) -> Tensor? { tensors[key] }
  }

  /// The recorded inputs with some number of references, for the first samples of the batch.
  private static func input(
    references: Int, samples: Int, timesteps: [Float]? = nil, _ configuration: CogVideoXConfiguration
  ) throws -> CogVideoXInput {
    let golden = try WeightStore(file: Fixtures.path("cogvideox-tiny/goldens/transformer_\(references)ref.safetensors"))
    func read(_ name: String) throws -> Tensor { try golden.tensor(named: name).sliced(0, 0..<samples).dense() }
    let latents = try read("hidden_states")
    let grid = configuration.rotaryGrid(frames: latents.shape[1], height: latents.shape[3], width: latents.shape[4])
    return CogVideoXInput(
      latents: latents, text: try read("encoder_hidden_states"), timesteps: try read("timestep").floats(),
      rotary: grid.targetTable(),
      reference: .init(
        latents: try read("hidden_states_mot_ref"), text: try read("encoder_hidden_states_mot_ref"),
        rotary: grid.referenceTable(count: references, configuration.positionDesign), timesteps: timesteps))
  }

  /// Compares with all gradients that are recorded under a name.
  private func expectRecordedGradients(_ name: String, _ found: GradientStore, _ parameters: [Parameter]) throws {
    let prefix = "\(name).gradient."
    let names = recorded.names.filter { $0.hasPrefix(prefix) }
    #expect(!names.isEmpty)
    for name in names {
      let key = String(name.dropFirst(prefix.count))
      let parameter = try #require(parameters.first { $0.key == key }, "\(key)")
      let gradient = try #require(found[parameter.tensor], "\(key)")
      // The tolerance of the recorded training case: float32 against float32 in another order.
      expectClose(gradient, try tensor(name), absolute: 5e-5, relative: 2e-3, key)
    }
  }

  private static func change(to coupling: Coupling) throws -> CogVideoXConfiguration {
    try configuration {
      $0.coupling = coupling
      if !coupling.hasExpert { $0.expertLayers = [] }
    }
  }

  @Test("outputs and gradients are the published ones", arguments: [Coupling.crossAttention, .addition, .inContext])
  func published(coupling: Coupling) throws {
    let configuration = try Self.change(to: coupling)
    let model = try Model(configuration) { !$0.hasSuffix("pos_embedding") }
    let output = try Model(configuration).transformer(Self.input(references: 1, samples: 2, configuration))
    expectClose(output, try tensor("\(coupling.rawValue).output"), absolute: 5e-5, relative: 1e-4)
    let recordedOutput = try model.transformer(Self.input(references: 1, samples: 1, configuration))
    try expectRecordedGradients(
      coupling.rawValue, try recordedOutput.backward(tensor("weights")), model.parameters)
  }

  @Test("gradients agree with central differences and are the same bits when recomputed", arguments: Coupling.allCases)
  func gradients(coupling: Coupling) throws {
    let configuration = try Self.change(to: coupling)
    let input = try Self.input(references: 1, samples: 1, configuration)
    let keys =
      ["transformer_blocks.0.attn1.to_k.weight", "patch_embed.proj.bias"]
      + (coupling.hasExpert
        ? ["transformer_blocks.0.attn1_mot_ref.to_v.weight", "patch_embed_mot_ref.text_proj.bias"] : [])
    let model = try Model(configuration) { keys.contains($0) }
    let weights = try tensor("weights")
    let found = try model.transformer(input).backward(weights)
    let again = try model.transformer(input, context: RunContext(recomputesSegments: true)).backward(weights)
    for parameter in model.parameters where parameter.isTrainable {
      let value = parameter.tensor.detached
      let gradient = try #require(found[parameter.tensor])
      #expect(again[parameter.tensor]?.floats() == gradient.floats())
      // Each of 2304 outputs of up to 5 is rounded, at random, in its seventh digit: 5e-5 in their sum, which the step of
      // 2^-6 makes 2e-3.
      try expectSlopes(
        gradient, at: value, weights: weights, tolerance: 4e-3, samples: 3, parameter.key
      ) { moved in
        parameter.update(to: moved)
        return try model.transformer(input)
      }
      parameter.update(to: value)
    }
  }

  @Test("noisy references have timesteps and predictions of their own, as published")
  func noisyReferences() throws {
    let configuration = try Self.configuration { $0.predictsReferences = true }
    let prefix = "noisy.parameter."
    let heads = try recorded.names.filter { $0.hasPrefix(prefix) }
      .reduce(into: [String: Tensor]()) { $0[String($1.dropFirst(prefix.count))] = try tensor($1) }
    let input = try Self.input(references: 2, samples: 1, timesteps: [7, 311], configuration)
    let model = try Model(configuration, over: heads) { !$0.hasSuffix("pos_embedding") }
    let prediction = try model.transformer.predict(input)
    let references = try #require(prediction.references)
    expectClose(prediction.target.detached, try tensor("noisy.output"), absolute: 5e-5, relative: 1e-4)
    expectClose(references.detached, try tensor("noisy.output_mot_ref"), absolute: 5e-5, relative: 1e-4)
    let loss =
      (prediction.target * (try tensor("weights"))).sum() + (references * (try tensor("noisy.weights_mot_ref"))).sum()
    try expectRecordedGradients("noisy", try loss.backward(), model.parameters)
    #expect(!model.transformer.makesUnreadQueries("transformer_blocks.1.attn1_mot_ref.to_q.weight"))
  }

  @Test("a single branch with a LoRA file of the published trainer predicts and learns as published")
  func singleBranchLoRA() throws {
    let configuration = try Self.change(to: .inContext)
    let file = Fixtures.path("couplings/pytorch_lora_weights.safetensors")
    let model = try Model(configuration, adapters: [try AdapterFile(path: file, isTrainable: true)])
    let output = try model.transformer(Self.input(references: 1, samples: 2, configuration))
    expectClose(output.detached, try tensor("lora.output"), absolute: 5e-5, relative: 1e-4)
    let one = try model.transformer(Self.input(references: 1, samples: 1, configuration))
    let found = try one.backward(tensor("weights"))
    try expectRecordedGradients("lora", found, model.parameters)
    #expect(model.parameters.filter { found[$0.tensor] != nil }.allSatisfy { AdapterKeys.contain($0.key) })
  }

  @Test("identical positions put references on the target's rows, a shift in time and width beside them")
  func positions() throws {
    let grid = RotaryGrid(headSize: 16, baseRows: 3, baseColumns: 4, frames: 2, rows: 3, columns: 4)
    let own = grid.targetTable()
    #expect(grid.referenceTable(count: 1, .identical).cosines.floats() == own.cosines.floats())
    #expect(grid.referenceTable(count: 2, .identical).tokens == 2 * own.tokens)
    let (shifted, biased) = (
      grid.referenceTable(count: 1, .temporalAndWidthShift), grid.referenceTable(count: 1, .temporalBias)
    )
    // A quarter of a head turns with time, as with the bias alone; the last three eighths with the column.
    #expect(shifted.cosines.sliced(1, 0..<10).floats() == biased.cosines.sliced(1, 0..<10).floats())
    // The first frequency is 1: column 0 stands where column 4 would be.
    #expect(abs(shifted.cosines.floats()[10] - Float(Foundation.cos(4.0))) < 1e-6)
  }

  @Test("configurations name at most one coupling, and one that fits their blocks")
  func configurations() throws {
    func decoded(_ changes: String) throws -> CogVideoXConfiguration {
      let directory = try TemporaryDirectory()
      return try ConfigFile.decode(
        CogVideoXConfiguration.self, at: directory.write("{\"num_layers\": 4, \(changes)}", to: "config.json"))
    }
    #expect(try decoded(#""ablation_single_encoder": true"#).coupling == .crossAttention)
    #expect(try decoded(#""ablation_residual_addition": true"#).coupling == .addition)
    #expect(try decoded(#""ablation_single_branch": true, "position_design": "identical""#).coupling == .inContext)
    #expect(try decoded(#""position_design": "temporal-width-shift""#).positionDesign == .temporalAndWidthShift)
    #expect(
      try decoded(#""reference_train_mode": "reference_independent", "block_idx_with_mot_ref": [0]"#).predictsReferences
    )
    for (changes, part) in [
      (#""ablation_single_encoder": true, "ablation_residual_addition": true"#, "contradicts"),
      (#""ablation_single_branch": true, "block_idx_with_mot_ref": [1]"#, "blocks with an expert"),
      (#""reference_train_mode": "reference_independent""#, "needs blocks"),
      (#""reference_train_mode": "other""#, "reference_independent"), (#""position_design": "left""#, "identical"),
    ] {
      let error = try #require(throws: ConfigError.self) { try decoded(changes) }
      #expect(error.message.contains(part), "\(error.message)")
    }
  }
}
