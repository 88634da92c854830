import Checkpoints
import Compute
import Foundation
import Layers
import Tensors
import TestSupport
import Testing

@testable import Autoencoders

@Suite struct CogVideoXAutoencoderConfigTests {
  @Test("reads the published fields")
  func published() throws {
    let config = try ConfigFile.decode(
      CogVideoXAutoencoderConfig.self, at: Fixtures.path("cogvideox-tiny/checkpoint/vae/config.json"))
    #expect(config.blockChannels == [8, 8, 16, 16])
    #expect(config.layersPerBlock == 1)
    #expect(config.scalingFactor == 0.7)
    #expect(config.spatialRatio == 8)
    #expect(config.temporalRatio == 4)
    #expect(config.defaultTiling == SpatialTiling(tileHeight: 48, tileWidth: 40))
  }

  @Test("absent fields have the published defaults")
  func defaults() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write("{}", to: "config.json")
    #expect(try ConfigFile.decode(CogVideoXAutoencoderConfig.self, at: path) == CogVideoXAutoencoderConfig())
  }

  /// Zeros that take no memory.
  private struct Zeros: ParameterSource {
    let keys: [String] = []
    let description = "zeros"
    func tensor(_ key: String, _ shape: Shape) -> Tensor? {
      let layout = Layout(shape: shape, strides: Array(repeating: 0, count: shape.rank), offset: 0)
      return Tensor(storage: Tensor.zeros([1]).storage, layout: layout, dtype: .float32)
    }
  }

  @Test("the published configuration has 436 tensors of 215,583,907 values")
  func parameterCount() throws {
    let loader = ParameterLoader(Zeros())
    _ = CogVideoXAutoencoder(loader.root, CogVideoXAutoencoderConfig())
    #expect(loader.parameters.count == 436)
    #expect(loader.parameters.reduce(0) { $0 + $1.shape.count } == 215_583_907)
    let shapes = Dictionary(uniqueKeysWithValues: loader.parameters.map { ($0.key, $0.shape) })
    #expect(shapes["encoder.conv_out.conv.weight"] == [32, 512, 3, 3, 3])
    #expect(shapes["decoder.up_blocks.3.resnets.0.conv_shortcut.weight"] == [128, 256, 1, 1, 1])
    #expect(shapes["decoder.up_blocks.0.upsamplers.0.conv.weight"] == [512, 512, 3, 3])
  }

  @Test(
    "refuses values that make no model, and names file and field",
    arguments: [
      (#""norm_num_groups": 0"#, "norm_num_groups"),
      (#""norm_num_groups": 3"#, "norm_num_groups"),
      (#""norm_num_groups": -8"#, "norm_num_groups"),
      (#""block_out_channels": []"#, "block_out_channels"),
      (#""block_out_channels": [32, 0]"#, "block_out_channels"),
      (#""block_out_channels": [32, -32]"#, "block_out_channels"),
      (#""block_out_channels": [32, 9223372036854775807]"#, "block_out_channels"),
      (#""block_out_channels": [32, 92233720368547758070]"#, "block_out_channels"),
      (#""block_out_channels": [32, 32.5]"#, "block_out_channels"),
      (#""block_out_channels": [32,32,32,32,32,32,32,32,32]"#, "block_out_channels"),
      (#""down_block_types": ["CogVideoXDownBlock3D"]"#, "down_block_types"),
      (#""up_block_types": ["A", "A", "A", "A"]"#, "up_block_types"),
      (#""layers_per_block": -1"#, "layers_per_block"),
      (#""layers_per_block": 0"#, "layers_per_block"),
      (#""layers_per_block": 4611686018427387904"#, "layers_per_block"),
      (#""latent_channels": 0"#, "latent_channels"),
      (#""in_channels": 1000000"#, "in_channels"),
      (#""out_channels": -3"#, "out_channels"),
      (#""act_fn": "mystery""#, "act_fn"),
      (#""norm_eps": 0"#, "norm_eps"),
      (#""temporal_compression_ratio": 3"#, "temporal_compression_ratio"),
      (#""temporal_compression_ratio": 1e300"#, "temporal_compression_ratio"),
      (#""temporal_compression_ratio": 16"#, "temporal_compression_ratio"),
      (#""temporal_compression_ratio": -4"#, "temporal_compression_ratio"),
      (#""sample_height": 4"#, "sample_height"),
      (#""sample_width": 1000000000"#, "sample_width"),
      (#""scaling_factor": 0"#, "scaling_factor"),
      (#""use_quant_conv": 3"#, "use_quant_conv"),
    ])
  func nonsense(_ entry: String, _ field: String) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write("{\(entry)}", to: "config.json")
    let error = #expect(throws: ConfigError.self) {
      try ConfigFile.decode(CogVideoXAutoencoderConfig.self, at: path)
    }
    let message = try #require(error?.message)
    #expect(message.hasPrefix(path) && message.contains("'\(field)"), "\(message)")
    #expect(!message.contains("\n"))
  }

  @Test("a checkpoint of other sizes than the configuration's is refused with its tensors' names")
  func mismatch() throws {
    let directory = try TemporaryDirectory()
    let weights = "diffusion_pytorch_model.safetensors"
    try FileManager.default.copyItem(
      atPath: Fixtures.path("cogvideox-tiny/checkpoint/vae/\(weights)"), toPath: directory.file(weights))
    try directory.write(
      #"{"block_out_channels": [8, 8, 16, 24], "norm_num_groups": 4, "layers_per_block": 2, "use_quant_conv": true}"#,
      to: "config.json")
    let error = #expect(throws: LoadingFailure.self) { try CogVideoXAutoencoder(directory: directory.path) }
    #expect(error?.missing.contains("encoder.down_blocks.0.resnets.1.conv1.conv.weight") == true)
    #expect(error?.missing.contains("quant_conv.weight") == true)
    #expect(error?.faults.contains { $0.contains("'encoder.conv_out.conv.weight'") } == true)
  }
}

@Suite struct CutsTests {
  @Test("clips are cut into batches of frames, the first with what is left over")
  func batches() {
    #expect(FrameBatches(frames: 1, size: 8).ranges == [0..<1])
    #expect(FrameBatches(frames: 7, size: 8).ranges == [0..<7])
    #expect(FrameBatches(frames: 13, size: 8).ranges == [0..<13])
    #expect(FrameBatches(frames: 17, size: 8).ranges == [0..<9, 9..<17])
    #expect(FrameBatches(frames: 13, size: 2).ranges == [0..<3, 3..<5, 5..<7, 7..<9, 9..<11, 11..<13])
    #expect(FrameBatches(frames: 4, size: 2).ranges == [0..<2, 2..<4])
  }

  @Test("time is halved and doubled in pairs, an odd first frame alone")
  func time() {
    #expect(CogVideoXEncoder.pools(of: 5, halvesTime: true) == [0..<1, 1..<3, 3..<5])
    #expect(CogVideoXEncoder.pools(of: 4, halvesTime: true) == [0..<2, 2..<4])
    #expect(CogVideoXEncoder.pools(of: 2, halvesTime: false) == [0..<1, 1..<2])
    #expect(CogVideoXDecoder.copies(of: 3, doublesTime: true) == [0..<1, 1..<3, 3..<5])
    #expect(CogVideoXDecoder.copies(of: 2, doublesTime: true) == [0..<2, 2..<4])
    #expect(CogVideoXDecoder.copies(of: 1, doublesTime: true) == [0..<1])
    #expect(CogVideoXDecoder.copies(of: 2, doublesTime: false) == [0..<1, 1..<2])
    #expect(SpatialNorm.latentFrames(for: 9, among: 3) == [0, 1, 1, 1, 1, 2, 2, 2, 2])
    #expect(SpatialNorm.latentFrames(for: 4, among: 2) == [0, 0, 1, 1])
    #expect(SpatialNorm.latentFrames(for: 1, among: 1) == [0])
  }

  private static func numbers(_ axis: SpatialTiling.Axis) -> [Int] { [axis.stride, axis.blend, axis.kept] }

  @Test("the published tiles: 240 x 360 pixels, every 200 x 288")
  func publishedTiling() {
    let tiling = CogVideoXAutoencoderConfig().defaultTiling
    let encoder = tiling.encoderAxes(8)
    #expect(Self.numbers(encoder.height) == [200, 5, 25])
    #expect(Self.numbers(encoder.width) == [288, 9, 36])
    let decoder = tiling.decoderAxes(8)
    #expect(Self.numbers(decoder.height) == [25, 40, 200])
    #expect(Self.numbers(decoder.width) == [36, 72, 288])
    #expect(decoder.height.ranges(in: 60) == [0..<30, 25..<55, 50..<60])
  }

  @Test(
    "tiles that do not advance are refused",
    arguments: [
      SpatialTiling(tileHeight: 0, tileWidth: 64), SpatialTiling(tileHeight: 64, tileWidth: 7),
      SpatialTiling(tileHeight: 64, tileWidth: -1), SpatialTiling(tileHeight: 64, tileWidth: Int.max),
      SpatialTiling(tileHeight: 64, tileWidth: 64, overlapHeight: 1),
      SpatialTiling(tileHeight: 64, tileWidth: 64, overlapWidth: -0.1),
      SpatialTiling(tileHeight: 64, tileWidth: 64, overlapWidth: .nan),
      SpatialTiling(tileHeight: 8, tileWidth: 64, overlapHeight: 0.2),
    ])
  func invalidTiling(_ tiling: SpatialTiling) {
    #expect(throws: AutoencoderError.self) { try tiling.validate(spatialRatio: 8) }
  }
}
