import Checkpoints
import Compute
import Layers
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import Encoders

private func encoder(_ directory: String) throws -> T5Encoder {
  let path = Fixtures.path(directory)
  let configuration = try ConfigFile.decode(T5EncoderConfiguration.self, at: "\(path)/config.json")
  let loader = ParameterLoader(try WeightStore(directory: path))
  let encoder = T5Encoder(loader.root, configuration)
  #expect(try loader.finish(ignoring: T5Encoder.isTiedKey).isEmpty)
  return encoder
}

/// Collects what a model shows while it runs.
private final class Probes: Sendable {
  private let tensors = Mutex<[String: Tensor]>([:])
  var context: RunContext {
    RunContext { name, tensor in self.tensors.withLock { $0[name] = tensor } }
  }
  subscript(name: String) -> Tensor? { tensors.withLock { $0[name] } }
}

@Suite("T5 encoder")
struct T5EncoderTests {
  private let goldens: SafetensorsReader

  init() throws {
    goldens = try SafetensorsReader(path: Fixtures.path("cogvideox-tiny/goldens/text_encoder.safetensors"))
  }

  @Test(
    "Hidden states agree with recorded ones", arguments: ["prompt", "empty", "negative", "long", "padded226"],
    [RunContext.Paging.keep, .release])
  func hiddenStates(item: String, paging: RunContext.Paging) throws {
    let ids = try goldens.tensor(named: "\(item).input_ids").integers()
    let seen = Mutex<[String]>([])
    let context = RunContext(paging: paging) { name, tensor in
      seen.withLock { $0.append(name) }
      guard goldens.contains("\(item).\(name)"), let expected = try? goldens.tensor(named: "\(item).\(name)") else {
        return
      }
      expectClose(tensor, expected, absolute: 5e-5, relative: 1e-4, "\(item).\(name)")
    }
    let output = try encoder("cogvideox-tiny/checkpoint/text_encoder")([ids], context: context)
    expectClose(
      output, try goldens.tensor(named: "\(item).last_hidden_state"), absolute: 5e-5, relative: 1e-4, item)
    #expect(seen.withLock { $0 } == ["hidden_0", "hidden_1", "hidden_2"])
  }

  @Test("A batch gives each prompt what it gets alone")
  func batch() throws {
    let encoder = try encoder("cogvideox-tiny/checkpoint/text_encoder")
    let ids = try ["prompt", "empty", "negative"].map { try goldens.tensor(named: "\($0).input_ids").integers() }
    let together = try encoder(ids, context: RunContext())
    #expect(together.shape == [3, 16, 32])
    for (index, prompt) in ids.enumerated() {
      // Matrix products of other sizes may sum in another order.
      expectClose(together[index], try encoder([prompt], context: RunContext())[0], absolute: 1e-5)
    }
  }

  @Test("Tokens beyond the vocabulary are refused", arguments: [-1, 576, Int.max])
  func foreignTokens(id: Int) throws {
    let encoder = try encoder("cogvideox-tiny/checkpoint/text_encoder")
    #expect(throws: TokenFailure(id: id, vocabularySize: 576)) { try encoder([[1, id]], context: RunContext()) }
  }

  @Test("The embedding table is found under either name, in any weight type", arguments: DType.weights)
  func tiedEmbedding(dtype: DType) throws {
    let configuration = T5EncoderConfiguration(
      family: .t5, vocabularySize: 11, hiddenSize: 6, headSize: 2, headCount: 2, feedForwardSize: 5, layerCount: 1,
      feedForwardKind: .relu)
    let source = RandomSource(seed: 3, dtype: dtype)
    let plain = ParameterLoader(source)
    let first = T5Encoder(plain.root, configuration)
    #expect(plain.parameters[0].key == "shared.weight")
    let renamed = Dictionary(
      uniqueKeysWithValues: plain.parameters.map {
        ($0.key == "shared.weight" ? "encoder.embed_tokens.weight" : $0.key, $0.tensor)
      })
    let loader = ParameterLoader(FixedSource(tensors: renamed))
    let second = T5Encoder(loader.root, configuration)
    #expect(try loader.finish().isEmpty)
    let ids = [[0, 10, 3, 3]]
    #expect(try first(ids, context: RunContext()).floats() == second(ids, context: RunContext()).floats())
  }

  @Test("Parameters have the published names and shapes")
  func parameterNames() throws {
    let loader = ParameterLoader(RandomSource(seed: 1))
    let configuration = T5EncoderConfiguration(
      family: .umt5, vocabularySize: 11, hiddenSize: 6, headSize: 4, headCount: 2, feedForwardSize: 5, layerCount: 2,
      feedForwardKind: .gatedGELU)
    _ = T5Encoder(loader.root, configuration)
    let shapes = loader.parameters.map { "\($0.key) \($0.shape)" }
    #expect(
      shapes == ["shared.weight [11, 6]"]
        + (0..<2).flatMap { layer in
          [
            "layer.0.layer_norm.weight [6]", "layer.0.SelfAttention.q.weight [8, 6]",
            "layer.0.SelfAttention.k.weight [8, 6]", "layer.0.SelfAttention.v.weight [8, 6]",
            "layer.0.SelfAttention.o.weight [6, 8]",
            "layer.0.SelfAttention.relative_attention_bias.weight [32, 2]", "layer.1.layer_norm.weight [6]",
            "layer.1.DenseReluDense.wi_0.weight [5, 6]", "layer.1.DenseReluDense.wi_1.weight [5, 6]",
            "layer.1.DenseReluDense.wo.weight [6, 5]",
          ].map { "encoder.block.\(layer).\($0)" }
        } + ["encoder.final_layer_norm.weight [6]"])
  }
}

@Suite("UMT5 encoder")
struct UMT5EncoderTests {
  private let goldens: SafetensorsReader

  init() throws { goldens = try SafetensorsReader(path: Fixtures.path("wan-tiny/umt5.safetensors")) }

  private func ids(_ prompt: Int) throws -> (ids: [Int], count: Int) {
    (
      try goldens.tensor(named: "input_ids")[prompt].integers(),
      try goldens.tensor(named: "attention_mask")[prompt].integers().reduce(0, +)
    )
  }

  @Test("With an attention mask all rows agree with recorded ones")
  func maskedPrompt() throws {
    let (ids, count) = try ids(0)
    let probes = Probes()
    let output = try encoder("wan-tiny/checkpoint/text_encoder")([ids], keyCounts: [count], context: probes.context)
    expectClose(
      output[0], try goldens.tensor(named: "prompt0.last_hidden_state_full"), absolute: 5e-5, relative: 1e-4)
    for layer in 0..<2 {
      expectClose(
        try #require(probes["hidden_\(layer)"])[0].sliced(0, 0..<count),
        try goldens.tensor(named: "prompt0.hidden_states.\(layer)"), absolute: 5e-5, relative: 1e-4, "hidden_\(layer)")
    }
  }

  @Test("Prompts of different lengths in one batch keep to their own masks")
  func maskedBatch() throws {
    let prompts = try (0..<4).map(ids)
    let output = try encoder("wan-tiny/checkpoint/text_encoder")(
      prompts.map(\.ids), keyCounts: prompts.map(\.count), context: RunContext())
    for (index, prompt) in prompts.enumerated() {
      expectClose(
        output[index].sliced(0, 0..<prompt.count),
        try goldens.tensor(named: "prompt\(index).last_hidden_state_valid"), absolute: 5e-5, relative: 1e-4,
        "prompt \(index)")
    }
  }

  @Test("Encoding without padding gives the rows that masking gives")
  func unpadded() throws {
    let (ids, count) = try ids(1)
    let output = try encoder("wan-tiny/checkpoint/text_encoder")([Array(ids.prefix(count))], context: RunContext())
    expectClose(
      output[0], try goldens.tensor(named: "prompt1.last_hidden_state_valid"), absolute: 5e-5, relative: 1e-4)
  }

  @Test("Without a mask padding is attended to")
  func unmasked() throws {
    let ids = try goldens.tensor(named: "training_no_mask.prompt0.input_ids").integers()
    let output = try encoder("wan-tiny/checkpoint/text_encoder")([ids], context: RunContext())
    expectClose(
      output[0], try goldens.tensor(named: "training_no_mask.prompt0.last_hidden_state_full"), absolute: 5e-5,
      relative: 1e-4)
  }

  @Test("Each layer's position bias equals the recorded one", arguments: [0, 1])
  func positionBias(layer: Int) throws {
    let configuration = try ConfigFile.decode(
      T5EncoderConfiguration.self, at: Fixtures.path("wan-tiny/checkpoint/text_encoder/config.json"))
    let loader = ParameterLoader(try WeightStore(directory: Fixtures.path("wan-tiny/checkpoint/text_encoder")))
    let bias = RelativePositionBias(
      loader.root("encoder")("block")(layer)("layer")(0)("SelfAttention")("relative_attention_bias"), configuration)
    #expect(bias(tokens: 40).floats() == (try goldens.tensor(named: "relative_bias.layer\(layer).40x40").floats()))
    for row in [0, 300] {
      #expect(
        bias(tokens: 512).sliced(1, row..<row + 1).floats()
          == (try goldens.tensor(named: "relative_bias.layer\(layer).512_row\(row)").floats()))
    }
  }
}

@Suite("T5 encoder configuration")
struct T5EncoderConfigurationTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static let published: [String: String] = [
    "model_type": "\"t5\"", "vocab_size": "32128", "d_model": "4096", "d_kv": "64", "num_heads": "64", "d_ff": "10240",
    "num_layers": "24", "feed_forward_proj": "\"gated-gelu\"", "relative_attention_num_buckets": "32",
    "relative_attention_max_distance": "128", "layer_norm_epsilon": "1e-06",
  ]

  private func decode(
    _ changes: [String: String] = [:], omitting omitted: [String] = []
  ) throws -> T5EncoderConfiguration {
    let fields = Self.published.merging(changes) { $1 }.filter { !omitted.contains($0.key) }
    let lines = fields.map { "\"\($0.key)\": \($0.value)" }
    return try ConfigFile.decode(
      T5EncoderConfiguration.self, at: directory.write("{\(lines.joined(separator: ", "))}", to: "config.json"))
  }

  @Test("Published values decode, and older files' omissions take the published defaults")
  func published() throws {
    let expected = T5EncoderConfiguration(
      family: .t5, vocabularySize: 32128, hiddenSize: 4096, headSize: 64, headCount: 64, feedForwardSize: 10240,
      layerCount: 24, feedForwardKind: .gatedGELU)
    #expect(try decode() == expected)
    #expect(
      try decode(omitting: [
        "relative_attention_num_buckets", "relative_attention_max_distance", "layer_norm_epsilon",
      ]) == expected)
  }

  @Test(
    "Unusable values are refused by the name of their field",
    arguments: [
      ("model_type", "\"bert\""), ("num_layers", "1000000000"), ("num_layers", "0"), ("num_heads", "0"),
      ("d_model", "-1"), ("d_kv", "0"), ("d_ff", "0"), ("vocab_size", "0"), ("feed_forward_proj", "\"gated-silu\""),
      ("relative_attention_num_buckets", "3"), ("relative_attention_max_distance", "8"), ("layer_norm_epsilon", "0"),
    ])
  func refusals(field: String, value: String) throws {
    let error = try #require(throws: ConfigError.self) { try decode([field: value]) }
    guard case .invalid(field, _) = error.problem else {
      Issue.record("\(error.message)")
      return
    }
  }

  @Test("Missing sizes are named", arguments: ["model_type", "d_model", "num_layers", "vocab_size"])
  func missing(field: String) {
    #expect { try decode(omitting: [field]) } throws: { ($0 as? ConfigError)?.problem == .missing(field: field) }
  }
}

/// Tensors under given names.
private struct FixedSource: ParameterSource {
  let tensors: [String: Tensor]
  var keys: [String] { tensors.keys.sorted() }
  var description: String { "test tensors" }
  func tensor(_ key: String, _ shape: Shape) -> Tensor? { tensors[key] }
}

extension DType {
  fileprivate static var weights: [DType] { allCases.filter(\.isWeight) }
}
