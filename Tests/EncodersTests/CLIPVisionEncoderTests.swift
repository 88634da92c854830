import Checkpoints
import Compute
import Layers
import Tensors
import TestSupport
import Testing

@testable import Encoders

@Suite("CLIP image encoder")
struct CLIPVisionEncoderTests {
  private static func configuration(_ activation: CLIPTransformerShape.ActivationName = .gelu)
    -> CLIPVisionConfiguration
  {
    var configuration = CLIPVisionConfiguration()
    configuration.transformer = CLIPTransformerShape(width: 12, headCount: 3, feedForwardSize: 20, layerCount: 3)
    configuration.transformer.activation = activation
    configuration.imageSize = 14
    configuration.patchSize = 4
    configuration.projectionSize = 5
    return configuration
  }

  private func encoder(_ configuration: CLIPVisionConfiguration, isProjected: Bool = false) -> CLIPVisionEncoder {
    CLIPVisionEncoder(ParameterLoader(RandomSource(seed: 2)).root, configuration, isProjected: isProjected)
  }

  @Test("the published ViT-H/14 has 519 tensors of 630,766,080 values")
  func publishedSize() {
    struct Nothing: ParameterSource {
      let keys: [String] = []
      let description = "nothing"
      func tensor(_ key: String, _ shape: Shape) -> Tensor? { nil }
    }
    var configuration = CLIPVisionConfiguration()
    configuration.transformer = CLIPTransformerShape(width: 1280, headCount: 16, feedForwardSize: 5120, layerCount: 32)
    configuration.patchSize = 14
    let loader = ParameterLoader(Nothing())
    _ = CLIPVisionEncoder(loader.root, configuration)
    #expect(configuration.tokenCount == 257)
    #expect(loader.parameters.count == 519)
    #expect(loader.parameters.reduce(0) { $0 + $1.shape.count } == 630_766_080)
    let shapes = Dictionary(uniqueKeysWithValues: loader.parameters.map { ($0.key, $0.shape) })
    #expect(shapes["vision_model.embeddings.patch_embedding.weight"] == [1280, 3, 14, 14])
    #expect(shapes["vision_model.embeddings.position_embedding.weight"] == [257, 1280])
    #expect(shapes["vision_model.pre_layrnorm.weight"] == [1280])
    #expect(shapes["vision_model.encoder.layers.31.mlp.fc2.weight"] == [1280, 5120])
  }

  @Test("the tokens are those before the last layer, unless others are asked for")
  func layers() throws {
    let encoder = encoder(Self.configuration())
    let pixels = Tensor.random([2, 3, 14, 14])
    let tokens = try encoder.tokens(of: pixels, context: RunContext())
    // Three patches on a side, two pixels left over, and the token of the whole.
    #expect(tokens.shape == [2, 10, 12])
    #expect(tokens.floats() == (try encoder.tokens(of: pixels, afterLayers: 2, context: RunContext()).floats()))
    #expect(tokens.floats() != (try encoder.tokens(of: pixels, afterLayers: 3, context: RunContext()).floats()))
  }

  @Test("pixels beyond the last whole patch are not read")
  func unreadPixels() throws {
    let encoder = encoder(Self.configuration())
    let pixels = Tensor.random([1, 3, 14, 14])
    let cut = Tensor.concatenated([pixels.sliced(3, 0..<12), .zeros([1, 3, 14, 2])], axis: 3)
    #expect(
      try encoder.tokens(of: pixels, context: RunContext()).floats()
        == encoder.tokens(of: cut, context: RunContext()).floats())
  }

  @Test("an embedding depends on the activation that the configuration names")
  func embedding() throws {
    let pixels = Tensor.random([2, 3, 14, 14])
    let gelu = try encoder(Self.configuration(), isProjected: true).embedding(of: pixels, context: RunContext())
    let quick = try encoder(Self.configuration(.quickGELU), isProjected: true)
      .embedding(of: pixels, context: RunContext())
    #expect(gelu.shape == [2, 5])
    #expect(gelu.floats() != quick.floats())
  }
}

@Suite("CLIP configurations")
struct CLIPConfigurationTests {
  private func decode<Config: Decodable>(_ type: Config.Type, _ json: String) throws -> Config {
    let directory = try TemporaryDirectory()
    return try ConfigFile.decode(type, at: directory.write("{\(json)}", to: "config.json"))
  }

  private func expectRefusal(of field: String, _ body: () throws -> Void) {
    do {
      try body()
      Issue.record("\(field) was accepted")
    } catch {
      guard case .invalid(field, _)? = (error as? ConfigError)?.problem else {
        Issue.record("\(error)")
        return
      }
    }
  }

  @Test("absent fields have the published defaults")
  func defaults() throws {
    #expect(try decode(CLIPVisionConfiguration.self, "") == CLIPVisionConfiguration())
    #expect(try decode(CLIPImageConfiguration.self, "") == CLIPImageConfiguration())
  }

  @Test("sizes are read in their newer and in their older form")
  func sizes() throws {
    let new = try decode(
      CLIPImageConfiguration.self,
      #""size": {"shortest_edge": 56}, "crop_size": {"height": 40, "width": 48}, "resample": 3"#)
    #expect([new.shortestSide, new.cropHeight, new.cropWidth] == [56, 40, 48])
    let old = try decode(CLIPImageConfiguration.self, #""size": 56, "crop_size": 48"#)
    #expect([old.shortestSide, old.cropHeight, old.cropWidth] == [56, 48, 48])
  }

  @Test(
    "preparations that this program does not do are refused",
    arguments: [
      (#""do_center_crop": false"#, "do_center_crop"), (#""do_rescale": false"#, "do_rescale"),
      (#""resample": 2"#, "resample"), (#""rescale_factor": 1"#, "rescale_factor"),
      (#""size": 32"#, "crop_size"), (#""crop_size": 0"#, "crop_size"), (#""size": 1000000"#, "size"),
      (#""image_std": [0, 1, 1]"#, "image_std"), (#""image_mean": [0.5]"#, "image_mean"),
    ])
  func imageRefusals(json: String, field: String) {
    expectRefusal(of: field) { _ = try decode(CLIPImageConfiguration.self, json) }
  }

  @Test(
    "encoders that cannot be are refused",
    arguments: [
      (#""hidden_size": 0"#, "hidden_size"), (#""hidden_size": 100"#, "hidden_size"),
      (#""num_hidden_layers": 100000"#, "num_hidden_layers"), (#""patch_size": 300"#, "patch_size"),
      (#""hidden_act": "tanh""#, "hidden_act"), (#""layer_norm_eps": 0"#, "layer_norm_eps"),
      (#""num_channels": 4"#, "num_channels"),
    ])
  func visionRefusals(json: String, field: String) {
    expectRefusal(of: field) { _ = try decode(CLIPVisionConfiguration.self, json) }
  }
}
