import Checkpoints
import Layers
import Tensors
import TestSupport
import Testing

@testable import VideoTransformers

/// The paper's ablations on a Wan model. The published code has a single branch and LoRA for it; its own blocks, put
/// together as those of CogVideoX are, gave the other records in `wan-couplings`.
@Suite("Couplings of Wan")
struct WanCouplingTests {
  private let record: CouplingRecord
  private let inputs: WeightStore

  init() throws {
    record = try CouplingRecord("wan-couplings", checkpoint: "wan-tiny/checkpoint/transformer")
    inputs = try WeightStore(file: Fixtures.path("wan-tiny/transformer.safetensors"))
  }

  private func configuration(_ change: (inout WanConfiguration) -> Void) throws -> WanConfiguration {
    var configuration = try ConfigFile.decode(WanConfiguration.self, at: record.checkpoint + "/config.json")
    change(&configuration)
    try configuration.validate()
    return configuration
  }

  private func change(to coupling: Coupling) throws -> WanConfiguration {
    try configuration {
      $0.coupling = coupling
      if !coupling.hasExpert { $0.expertLayers = [] }
    }
  }

  /// The recorded inputs.
  private func input(_ configuration: WanConfiguration, referenceTimestep: Float? = nil) throws -> WanInput {
    func read(_ name: String) throws -> Tensor { try inputs.tensor(named: "case0.\(name)") }
    func text(_ suffix: String) throws -> Tensor {
      let rows = try read("encoder_hidden_states\(suffix)_first64of512")
      let padding = Tensor.zeros([rows.shape[0], WanConfiguration.textLength - rows.shape[1], rows.shape[2]])
      return .concatenated([rows, padding], axis: 1)
    }
    let latents = try read("hidden_states")
    let grid = configuration.rotaryGrid(latents.shape)
    return WanInput(
      latents: latents, text: try text(""), image: try read("encoder_hidden_states_image"),
      timesteps: try record.tensor("timestep").floats(), rotary: grid.targetTable(),
      reference: .init(
        latents: try read("hidden_states_mot_ref"), text: try text("_mot_ref"),
        image: try read("encoder_hidden_states_image_mot_ref"),
        timesteps: try referenceTimestep.map { [$0] } ?? record.tensor("reference_timestep").floats(),
        rotary: grid.referenceTable(count: 1, configuration.positionDesign)))
  }

  @Test("outputs and gradients are the recorded ones", arguments: [Coupling.crossAttention, .addition, .inContext])
  func recorded(coupling: Coupling) throws {
    let configuration = try change(to: coupling)
    let model = try record.load({ WanTransformer($0, configuration) }, training: { _ in true })
    let output = try model.transformer(input(configuration))
    expectClose(output.detached, try record.tensor("\(coupling.rawValue).output"), absolute: 5e-5, relative: 1e-4)
    try record.expectGradients(coupling.rawValue, try output.backward(record.tensor("weights")), model.parameters)
  }

  @Test("gradients agree with central differences and are the same bits when recomputed", arguments: Coupling.allCases)
  func gradients(coupling: Coupling) throws {
    let configuration = try change(to: coupling)
    let input = try input(configuration)
    let keys =
      ["blocks.0.attn1.to_k.weight", "patch_embedding.bias"]
      + (coupling.hasExpert ? ["blocks.0.attn1_mot_ref.to_v.weight", "blocks.2.scale_shift_table_mot_ref"] : [])
    let model = try record.load({ WanTransformer($0, configuration) }, training: { keys.contains($0) })
    // Each of 1536 outputs of up to 4 has passed five blocks of three parts, each of which rounds it anew.
    try record.expectSlopes(of: model.parameters, rounding: 1.2e-4) {
      try model.transformer(input, context: RunContext(recomputesSegments: $0))
    }
  }

  @Test("noisy references have timesteps and predictions of their own")
  func noisyReferences() throws {
    let configuration = try configuration { $0.predictsReferences = true }
    let model = try record.load(
      { WanTransformer($0, configuration) }, over: record.tensors("noisy.parameter."), training: { _ in true })
    try record.expectNoisy(
      model.transformer.predict(input(configuration, referenceTimestep: 7)), model.parameters)
    #expect(!model.transformer.makesUnreadQueries("blocks.4.attn1_mot_ref.to_q.weight"))
  }

  @Test("a single branch with a LoRA file of the published trainer predicts and learns as published")
  func singleBranchLoRA() throws {
    let configuration = try change(to: .inContext)
    let model = try record.load(
      { WanTransformer($0, configuration) }, adapters: [AdapterFile(path: record.adapters, isTrainable: true)])
    let output = try model.transformer(input(configuration))
    expectClose(output.detached, try record.tensor("lora.output"), absolute: 5e-5, relative: 1e-4)
    try record.expectAdapters(output, model.parameters)
  }

  @Test("positions of references change the prediction of every coupling that tells references apart by them")
  func positions() throws {
    for coupling in [Coupling.mixture, .crossAttention, .inContext] {
      var configuration = try change(to: coupling)
      let model = try record.load { WanTransformer($0, configuration) }
      let biased = try model.transformer(input(configuration)).floats()
      for design in [PositionDesign.identical, .temporalAndWidthShift, .discrete] {
        configuration.positionDesign = design
        #expect(try model.transformer(input(configuration)).floats() != biased, "\(coupling), \(design)")
      }
    }
  }
}
