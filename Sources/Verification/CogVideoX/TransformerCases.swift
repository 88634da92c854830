import Checkpoints
import Compute
import Layers
import Tensors
import VideoTransformers

/// Cases `transformer_*` and `sincos_pos_embedding`: single forward passes, compared block by block.
struct TransformerCases {
  let goldens: GoldenSet

  func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let isSharded = golden.name == "transformer_sharded_bf16"
    let directory = isSharded ? "\(goldens.directory)/transformer_sharded_bf16" : "\(goldens.checkpoint)/transformer"
    var configuration = try ConfigFile.decode(CogVideoXConfiguration.self, at: "\(directory)/config.json")
    if golden.name == "transformer_rotary_only" { configuration.usesLearnedEmbeddings = false }
    if golden.name == "transformer_base" { configuration = configuration.base }

    let loader = ParameterLoader(try WeightStore(directory: directory))
    let transformer = CogVideoXTransformer(loader.root, configuration)
    let unexpected = try loader.finish(ignoring: { key in
      golden.name == "transformer_base" && key.contains(expertSuffix)
        || golden.name == "transformer_rotary_only" && key.hasSuffix("pos_embedding")
    })
    if let first = unexpected.first { comparison.fail(first, "is in the checkpoint but not in the model") }

    let expected = try golden.openTensors()
    let inputs = isSharded ? try goldens.golden("transformer_1ref").openTensors() : expected
    let input = try makeInput(inputs, configuration, comparing: expected, &comparison)
    let observed = ObservedTensors()
    let output = try transformer(input, context: RunContext(observer: observed.note))
    for (name, tensor) in observed.tensors {
      if let recorded = try expected.optional(name) { comparison.compare(name, tensor, recorded, .forward) }
    }
    comparison.compare("output", output, try expected["output"], .forward)
    // The same pass without an observer leaves out the work that has no reader: the output must not notice.
    comparison.compare("output without unread work", try transformer(input), output, .exact)
  }

  func runSinusoidalPositions(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let configuration = try ConfigFile.decode(
      CogVideoXConfiguration.self, at: "\(goldens.checkpoint)/transformer/config.json")
    let expected = try golden.openTensors()["pos_embedding"]
    let patch = configuration.patchSize
    let area = configuration.sampleHeight / patch * (configuration.sampleWidth / patch)
    let table = CogVideoXTransformer.sinusoidalPositions(
      configuration, frames: (expected.shape[1] - configuration.maxTextLength) / area,
      height: configuration.sampleHeight, width: configuration.sampleWidth)
    comparison.compare("pos_embedding", table.reshaped(expected.shape), expected, .forward)
  }

  private func makeInput(
    _ tensors: GoldenTensors, _ configuration: CogVideoXConfiguration, comparing expected: GoldenTensors,
    _ comparison: inout Comparison
  ) throws -> CogVideoXInput {
    let latents = try tensors["hidden_states"]
    let frames = latents.shape[1]
    let grid = configuration.rotaryGrid(frames: frames, height: latents.shape[3], width: latents.shape[4])
    let isRotary = configuration.usesRotaryEmbeddings
    let table = isRotary ? grid.targetTable() : nil
    try compare(table, "image_rotary_emb", expected, &comparison)
    var reference: CogVideoXInput.Reference?
    if let clips = try tensors.optional("hidden_states_mot_ref"), configuration.hasExpert {
      let table = isRotary ? grid.referenceTable(count: clips.shape[1] / frames, .temporalBias) : nil
      try compare(table, "image_rotary_emb_mot_ref", expected, &comparison)
      reference = .init(latents: clips, text: try tensors["encoder_hidden_states_mot_ref"], rotary: table)
    }
    return CogVideoXInput(
      latents: latents, text: try tensors["encoder_hidden_states"],
      timesteps: try tensors["timestep"].floats(), rotary: table, reference: reference)
  }

  private func compare(
    _ table: RotaryTable?, _ name: String, _ expected: GoldenTensors, _ comparison: inout Comparison
  ) throws {
    guard let table, let cosines = try expected.optional("\(name).cos") else { return }
    comparison.compare("\(name).cos", table.cosines, cosines, RotaryCases.tolerance)
    comparison.compare("\(name).sin", table.sines, try expected["\(name).sin"], RotaryCases.tolerance)
  }
}
