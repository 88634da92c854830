import Checkpoints
import Compute
import Foundation
import Layers
import Tensors
import VideoTransformers

/// Cases `transformer` and `rope`: single forward passes, compared block by block, and rotary tables.
struct WanTransformerCases {
  private static let forward = Tolerance(norm: 1e-4)
  /// A pass computed in bfloat16, where this build rounds the weights only.
  private static let roundedForward = Tolerance(norm: 3e-2)
  private static let angles = Tolerance(absolute: 1e-10)

  let goldens: GoldenSet

  private func configuration() throws -> WanConfiguration {
    try ConfigFile.decode(WanConfiguration.self, at: "\(goldens.checkpoint)/transformer/config.json")
  }

  private func model(
    _ configuration: WanConfiguration, keepingInFloat32 kept: Set<String>? = nil,
    ignoring: (String) -> Bool = { _ in false }
  ) throws -> WanTransformer {
    let store = try WeightStore(directory: "\(goldens.checkpoint)/transformer")
    let source: any ParameterSource = kept.map { RoundedSource(source: store, kept: $0) } ?? store
    let loader = ParameterLoader(source)
    let model = WanTransformer(loader.root, configuration)
    let unexpected = try loader.finish(ignoring: ignoring)
    guard unexpected.isEmpty else {
      throw GoldenFailure(path: goldens.checkpoint, problem: "holds '\(unexpected[0])', which the model does not")
    }
    return model
  }

  func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let configuration = try configuration()
    let tensors = try golden.openTensors()
    let transformer = try model(configuration)
    for name in ["case0", "case1", "case2"] {
      guard let settings = golden.info[name] else { throw golden.failure("does not describe \(name)") }
      let input = try input(golden, name, settings, tensors, configuration)
      let observed = ObservedTensors()
      let output = try transformer(input, context: RunContext(observer: observed.note))
      try compare(observed, prefix: name, tensors, &comparison)
      comparison.compare("\(name).output", output, try tensors["\(name).output"], Self.forward)
      // The same pass without an observer leaves out the work that has no reader: the output must not notice.
      comparison.compare("\(name).output without unread work", try transformer(input), output, .exact)
    }

    let settings = golden.info["case0"] ?? .null
    let kept = golden.info["case3_bf16"]?["parameters_kept_in_float32"]?.strings ?? []
    let input = try input(golden, "case0", settings, tensors, configuration)
    comparison.compare(
      "case3_bf16.output", try model(configuration, keepingInFloat32: Set(kept))(input),
      try tensors["case3_bf16.output"], Self.roundedForward)

    let alone = WanInput(
      latents: input.latents, text: input.text, image: input.image, timesteps: input.timesteps, rotary: input.rotary)
    let base = try model(configuration.base) { $0.contains(expertSuffix) }
    let observed = ObservedTensors()
    let output = try base(alone, context: RunContext(observer: observed.note))
    try compare(observed, prefix: "base", tensors, &comparison)
    comparison.compare("base.output", output, try tensors["base.output"], Self.forward)

    comparison.compare(
      "timestep_sinusoid.embedding",
      sinusoidalEmbedding(try tensors["timestep_sinusoid.t"].floats(), width: configuration.frequencySize),
      try tensors["timestep_sinusoid.embedding"], Self.forward)
  }

  /// Compares what was observed with what is recorded of it: `block0` of a base model is `block0.target` here, and of
  /// long texts the first rows are recorded.
  private func compare(
    _ observed: ObservedTensors, prefix: String, _ tensors: GoldenTensors, _ comparison: inout Comparison
  ) throws {
    for (name, tensor) in observed.tensors {
      let candidates = [name, name.replacing(".target", with: "")].map { "\(prefix).\($0)" }
      guard let recorded = candidates.first(where: tensors.contains) else { continue }
      let expected = try tensors[recorded]
      let rows = expected.rank == 3 ? min(tensor.shape[1], expected.shape[1]) : tensor.shape[1]
      comparison.compare(recorded, tensor.sliced(1, 0..<rows), expected, Self.forward)
    }
  }

  private func input(
    _ golden: GoldenCase, _ name: String, _ settings: JSONValue, _ tensors: GoldenTensors,
    _ configuration: WanConfiguration
  ) throws -> WanInput {
    guard let timesteps = (settings["timesteps"]?.array ?? settings["timestep"].map { [$0] })?.compactMap(\.double),
      let referenceTimestep = settings["ref_timestep"]?.double
    else { throw golden.failure("does not say the timesteps of \(name)") }
    func text(_ suffix: String) throws -> Tensor {
      let rows = try tensors["\(name).encoder_hidden_states\(suffix)_first64of512"]
      let rest = WanConfiguration.textLength - rows.shape[1]
      return .concatenated([rows, .zeros([rows.shape[0], rest, rows.shape[2]])], axis: 1)
    }
    let latents = try tensors["\(name).hidden_states"]
    let grid = configuration.rotaryGrid(latents.shape)
    return WanInput(
      latents: latents, text: try text(""), image: try tensors["\(name).encoder_hidden_states_image"],
      timesteps: timesteps.map { Float($0) }, rotary: grid.targetTable(),
      reference: .init(
        latents: try tensors["\(name).hidden_states_mot_ref"], text: try text("_mot_ref"),
        image: try tensors["\(name).encoder_hidden_states_image_mot_ref"], timesteps: [Float(referenceTimestep)],
        rotary: grid.referenceTable(count: 1, .temporalBias)))
  }

  // MARK: Rotation

  func runRotation(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let configuration = try configuration()
    let tensors = try golden.openTensors()
    // The latent size that the set names for its small tables; two frames more for the other one.
    let small = configuration.rotaryGrid([1, 1, 4, 4, 6])
    let longer = configuration.rotaryGrid([1, 1, 6, 4, 6])
    // 480x832 at 8 pixels to a latent and 2 latents to a token.
    func full(_ frames: Int) -> WanRotaryGrid { WanRotaryGrid(headSize: 128, frames: frames, rows: 30, columns: 52) }
    let items: [(String, WanRotaryGrid, isReference: Bool)] = [
      ("tiny.target", small, false), ("tiny.reference", small, true), ("tiny.reference_other_frames", longer, true),
      ("full49.target", full(13), false), ("full49.reference", full(13), true),
      ("full81.target", full(21), false), ("full81.reference", full(21), true),
    ]
    for (name, grid, isReference) in items {
      let expected = try tensors[name]
      let pairs = expected.shape[1]
      let angles = isReference ? grid.referenceAngles(count: 1, .temporalBias) : grid.targetAngles()
      let set = name.prefix { $0 != "." }
      let tokens = try tensors.optional("\(set).token_index")?.integers() ?? Array(0..<angles.count / pairs)
      let actual = tokens.flatMap { token in
        angles[token * pairs..<(token + 1) * pairs].flatMap { [cos($0), sin($0)] }
      }
      comparison.compare(name, actual, expected.doubles(), Self.angles)
    }
    let vectors = try tensors["rotate.input"]  // [B, A, N, K]
    let (heads, tokens, size) = (vectors.shape[1], vectors.shape[2], vectors.shape[3])
    let joined = vectors.transposed(1, 2).reshaped([vectors.shape[0], tokens, heads * size])
    for (name, table) in [
      ("target", small.targetTable()), ("reference", small.referenceTable(count: 1, .temporalBias)),
    ] {
      comparison.compare(
        "rotate.\(name)", joined.splitIntoHeads(heads, rotary: table), try tensors["rotate.\(name)"], Self.forward)
    }
  }
}

/// Weights rounded to bfloat16 as the published loader keeps them, but for some that it keeps in float32.
private struct RoundedSource: ParameterSource {
  let source: any ParameterSource
  let kept: Set<String>

  var keys: [String] { source.keys }
  var description: String { source.description }

  func tensor(_ key: String, _ shape: Shape) throws -> Tensor? {
    let tensor = try source.tensor(key, shape)
    return kept.contains(key) ? tensor : tensor?.dense().stored(as: .bfloat16)
  }
}
