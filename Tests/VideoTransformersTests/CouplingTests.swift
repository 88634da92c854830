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
  private let record: CouplingRecord

  init() throws { record = try CouplingRecord("couplings", checkpoint: "cogvideox-tiny/checkpoint/transformer") }

  private func configuration(_ change: (inout CogVideoXConfiguration) -> Void) throws -> CogVideoXConfiguration {
    var configuration = try ConfigFile.decode(CogVideoXConfiguration.self, at: record.checkpoint + "/config.json")
    change(&configuration)
    try configuration.validate()
    return configuration
  }

  private func change(to coupling: Coupling) throws -> CogVideoXConfiguration {
    try configuration {
      $0.coupling = coupling
      if !coupling.hasExpert { $0.expertLayers = [] }
    }
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

  @Test("outputs and gradients are the published ones", arguments: [Coupling.crossAttention, .addition, .inContext])
  func published(coupling: Coupling) throws {
    let configuration = try change(to: coupling)
    func model(_ isTrainable: @escaping @Sendable (String) -> Bool) throws
      -> (transformer: CogVideoXTransformer, parameters: [Parameter])
    {
      try record.load({ CogVideoXTransformer($0, configuration) }, training: isTrainable)
    }
    let output = try model { _ in false }.transformer(Self.input(references: 1, samples: 2, configuration))
    expectClose(output, try record.tensor("\(coupling.rawValue).output"), absolute: 5e-5, relative: 1e-4)
    let trained = try model { !$0.hasSuffix("pos_embedding") }
    let one = try trained.transformer(Self.input(references: 1, samples: 1, configuration))
    try record.expectGradients(coupling.rawValue, try one.backward(record.tensor("weights")), trained.parameters)
  }

  @Test("gradients agree with central differences and are the same bits when recomputed", arguments: Coupling.allCases)
  func gradients(coupling: Coupling) throws {
    let configuration = try change(to: coupling)
    let input = try Self.input(references: 1, samples: 1, configuration)
    let keys =
      ["transformer_blocks.0.attn1.to_k.weight", "patch_embed.proj.bias"]
      + (coupling.hasExpert
        ? ["transformer_blocks.0.attn1_mot_ref.to_v.weight", "patch_embed_mot_ref.text_proj.bias"] : [])
    let model = try record.load({ CogVideoXTransformer($0, configuration) }, training: { keys.contains($0) })
    // Each of 2304 outputs of up to 5 is rounded, at random, in its seventh digit.
    try record.expectSlopes(of: model.parameters, rounding: 5e-5) {
      try model.transformer(input, context: RunContext(recomputesSegments: $0))
    }
  }

  @Test("noisy references have timesteps and predictions of their own, as published")
  func noisyReferences() throws {
    let configuration = try configuration { $0.predictsReferences = true }
    let input = try Self.input(references: 2, samples: 1, timesteps: [7, 311], configuration)
    let model = try record.load(
      { CogVideoXTransformer($0, configuration) }, over: record.tensors("noisy.parameter."),
      training: { !$0.hasSuffix("pos_embedding") })
    try record.expectNoisy(model.transformer.predict(input), model.parameters)
    #expect(!model.transformer.makesUnreadQueries("transformer_blocks.1.attn1_mot_ref.to_q.weight"))
  }

  @Test("a single branch with a LoRA file of the published trainer predicts and learns as published")
  func singleBranchLoRA() throws {
    let configuration = try change(to: .inContext)
    let model = try record.load(
      { CogVideoXTransformer($0, configuration) },
      adapters: [AdapterFile(path: record.adapters, isTrainable: true)])
    let output = try model.transformer(Self.input(references: 1, samples: 2, configuration))
    expectClose(output.detached, try record.tensor("lora.output"), absolute: 5e-5, relative: 1e-4)
    let one = try model.transformer(Self.input(references: 1, samples: 1, configuration))
    try record.expectAdapters(one, model.parameters)
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
