import Checkpoints
import Compute
import Layers
import Tensors
import TestSupport
import Testing

@testable import Autoencoders

/// Properties that hold for any weights; recorded values are compared by the verification tests.
@Suite("Wan autoencoder")
struct WanAutoencoderTests {
  private static func config(
    factors: [Int] = [1, 2, 2], halvesTime: [Bool] = [false, true], base: Int = 6
  ) -> WanAutoencoderConfig {
    var config = WanAutoencoderConfig()
    config.baseChannels = base
    config.latentChannels = 3
    config.channelFactors = factors
    config.residualBlocks = 1
    config.halvesTime = halvesTime
    config.latentMeans = [0.5, -1, 0]
    config.latentDeviations = [2, 0.5, 1]
    return config
  }

  private func makeModel(_ config: WanAutoencoderConfig = config(), dtype: DType = .float32) -> WanAutoencoder {
    WanAutoencoder(ParameterLoader(RandomSource(seed: 7, dtype: dtype)).root, config)
  }

  @Test("the published configuration has 194 tensors of 126,892,531 values")
  func parameterCount() {
    struct Nothing: ParameterSource {
      let keys: [String] = []
      let description = "nothing"
      func tensor(_ key: String, _ shape: Shape) -> Tensor? { nil }
    }
    let loader = ParameterLoader(Nothing())
    _ = WanAutoencoder(loader.root, WanAutoencoderConfig())
    #expect(loader.parameters.count == 194)
    #expect(loader.parameters.reduce(0) { $0 + $1.shape.count } == 126_892_531)
    let shapes = Dictionary(uniqueKeysWithValues: loader.parameters.map { ($0.key, $0.shape) })
    #expect(shapes["encoder.down_blocks.3.conv_shortcut.weight"] == [192, 96, 1, 1, 1])
    #expect(shapes["encoder.down_blocks.8.time_conv.weight"] == [384, 384, 3, 1, 1])
    #expect(shapes["encoder.mid_block.attentions.0.to_qkv.weight"] == [1152, 384, 1, 1])
    #expect(shapes["decoder.up_blocks.1.resnets.0.conv_shortcut.weight"] == [384, 192, 1, 1, 1])
    #expect(shapes["decoder.up_blocks.1.upsamplers.0.time_conv.weight"] == [768, 384, 3, 1, 1])
    #expect(shapes["decoder.up_blocks.2.upsamplers.0.resample.1.weight"] == [96, 192, 3, 3])
    #expect(shapes["decoder.norm_out.gamma"] == [96, 1, 1, 1])
    #expect(shapes["quant_conv.weight"] == [32, 32, 1, 1, 1])
  }

  @Test(
    "latents have the sizes of the ratios, and decode to the frames they came from",
    arguments: [[false, false], [false, true], [true, true]], [1, 5, 9])
  func sizes(halvesTime: [Bool], frames: Int) throws {
    let config = Self.config(halvesTime: halvesTime)
    let model = makeModel(config)
    let mean = try model.encode(.random([1, 3, frames, 12, 8], seed: 1)).mean
    #expect(mean.shape == [1, 3, 1 + (frames - 1) / config.temporalRatio, 3, 2])
    let decoded: Tensor = try model.decode(mean)
    #expect(decoded.shape == [1, 3, frames, 12, 8])
  }

  @Test("frames beyond the last whole chunk are left out")
  func incompleteChunk() throws {
    let video = Tensor.random([1, 3, 8, 8, 8], seed: 2)
    let model = makeModel()
    #expect(try model.encode(video).mean.floats() == model.encode(video.sliced(2, 0..<5)).mean.floats())
  }

  @Test("frames are handed out chunk by chunk, and later latents do not change earlier frames")
  func streaming() throws {
    let model = makeModel()
    let latents = Tensor.random([2, 3, 3, 4, 4], seed: 3)
    var parts: [DecodedFrames] = []
    try model.decode(latents, onFrames: { parts.append($0) })
    #expect(parts.map(\.sample) == [0, 0, 0, 1, 1, 1])
    #expect(parts.map(\.frames) == [0..<1, 1..<3, 3..<5, 0..<1, 1..<3, 3..<5])
    let whole: Tensor = try model.decode(latents)
    for part in parts {
      #expect(part.pixels.floats() == whole[part.sample].sliced(1, part.frames).floats())
    }
    let some: Tensor = try model.decode(latents.sliced(2, 0..<2))
    #expect(some.floats() == whole.sliced(2, 0..<3).floats())
  }

  @Test("untiled frames are limited to -1...1; one tile as large as the frame is the frame")
  func limitsAndTiles() throws {
    let model = makeModel()
    let latents = Tensor.random([1, 3, 2, 4, 4], seed: 4).scaled(by: 30)
    let whole: Tensor = try model.decode(latents)
    #expect(whole.floats().contains { abs($0) == 1 })
    #expect(whole.floats().allSatisfy { abs($0) <= 1 })
    let tiling = SpatialTiling(tileHeight: 16, tileWidth: 16, strideHeight: 12, strideWidth: 12)
    let same: Tensor = try model.decode(latents, tiling: tiling)
    #expect(same.floats() == whole.floats())
    let small = SpatialTiling(tileHeight: 8, tileWidth: 12, strideHeight: 4, strideWidth: 8)
    let tiled: Tensor = try model.decode(latents, tiling: small)
    #expect(tiled.shape == whole.shape)
    #expect(tiled.floats().contains { abs($0) > 1 })
  }

  @Test("latents are normalised channel by channel, and back")
  func normalization() {
    let config = Self.config()
    let latents = Tensor.random([1, 3, 2, 2, 2], seed: 5)
    let normalized = config.normalized(latents)
    #expect(abs(normalized.floats()[0] - (latents.floats()[0] - 0.5) / 2) < 1e-6)
    #expect(abs(normalized.floats()[8] - (latents.floats()[8] + 1) / 0.5) < 1e-6)
    expectClose(config.denormalized(normalized), latents, absolute: 1e-6, "latents")
  }

  @Test("the number of threads changes no bit, nor do 16-bit weights against their widened values")
  func threadsAndStorage() throws {
    struct Widened: ParameterSource {
      let keys: [String] = []
      let description = "widened"
      func tensor(_ key: String, _ shape: Shape) -> Tensor? {
        RandomSource(seed: 7, dtype: .bfloat16).tensor(key, shape)?.dense()
      }
    }
    let video = Tensor.random([1, 3, 5, 20, 12], seed: 6)
    let models = [
      makeModel(dtype: .bfloat16), WanAutoencoder(ParameterLoader(Widened()).root, Self.config()),
    ]
    let results = try models.flatMap { model in
      try [1, 3].map { count in
        try withThreads(count) {
          let mean = try model.encode(video).mean
          let decoded: Tensor = try model.decode(mean)
          return mean.floats() + decoded.floats()
        }
      }
    }
    for result in results { #expect(result == results[0]) }
  }

  @Test("clips that do not fit are refused")
  func wrongClips() {
    let model = makeModel()
    #expect(throws: AutoencoderError.wrongShape([1, 4, 1, 8, 8], channels: 3)) {
      try model.encode(Tensor.zeros([1, 4, 1, 8, 8]))
    }
    #expect(throws: AutoencoderError.tooSmall(height: 3, width: 8, minimum: 4)) {
      try model.encode(Tensor.zeros([1, 3, 1, 3, 8]))
    }
  }
}

@Suite("Wan autoencoder configuration")
struct WanAutoencoderConfigTests {
  private func decode(_ json: String) throws -> WanAutoencoderConfig {
    let directory = try TemporaryDirectory()
    return try ConfigFile.decode(WanAutoencoderConfig.self, at: directory.write("{\(json)}", to: "config.json"))
  }

  @Test("absent fields have the published defaults, and the published file decodes")
  func published() throws {
    #expect(try decode("") == WanAutoencoderConfig())
    let config = try ConfigFile.decode(
      WanAutoencoderConfig.self, at: Fixtures.path("wan-tiny/checkpoint/vae/config.json"))
    #expect(config.channels == [4, 8, 16, 16])
    #expect(config.spatialRatio == 8)
    #expect(config.temporalRatio == 4)
    #expect(config.latentMeans == WanAutoencoderConfig().latentMeans)
    #expect(config.latentDeviations == WanAutoencoderConfig().latentDeviations)
  }

  @Test(
    "values that make no model, and variants that this program does not compute, are refused by name",
    arguments: [
      (#""base_dim": 0"#, "base_dim"), (#""z_dim": 100000"#, "z_dim"), (#""dim_mult": [1]"#, "dim_mult"),
      (#""dim_mult": [1, 0, 2, 4]"#, "dim_mult"), (#""base_dim": 3"#, "dim_mult"),
      (#""num_res_blocks": 0"#, "num_res_blocks"), (#""temperal_downsample": [true]"#, "temperal_downsample"),
      (#""temperal_downsample": [true, true, true]"#, "temperal_downsample"),
      (#""latents_mean": [0]"#, "latents_mean"), (#""z_dim": 8"#, "latents_mean"),
      (#""latents_std": [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"#, "latents_std"),
      (#""attn_scales": [0.5]"#, "attn_scales"), (#""is_residual": true"#, "is_residual"),
      (#""in_channels": 12"#, "in_channels"), (#""patch_size": 2"#, "patch_size"),
    ])
  func refusals(json: String, field: String) throws {
    // A base of 3 with factors that leave it odd.
    let json = field == "dim_mult" && json.contains("base_dim") ? json + #", "dim_mult": [1, 1, 2, 2]"# : json
    let error = try #require(throws: ConfigError.self) { try decode(json) }
    guard case .invalid(field, _) = error.problem else {
      Issue.record("\(error.message)")
      return
    }
  }

  @Test("the published tiles: 256 pixels, every 192")
  func publishedTiling() throws {
    let tiling = WanAutoencoderConfig().defaultTiling
    try tiling.validate(spatialRatio: 8)
    let (encoder, decoder) = (tiling.encoderAxes(8).height, tiling.decoderAxes(8).height)
    #expect([encoder.size, encoder.stride, encoder.blend, encoder.kept] == [256, 192, 8, 24])
    #expect([decoder.size, decoder.stride, decoder.blend, decoder.kept] == [32, 24, 64, 192])
  }

  @Test("strides that do not advance, leave gaps or split latents are refused", arguments: [0, -8, 72, 12])
  func invalidStride(stride: Int) {
    let tiling = SpatialTiling(tileHeight: 64, tileWidth: 64, strideHeight: stride, strideWidth: 64)
    #expect(throws: AutoencoderError.self) { try tiling.validate(spatialRatio: 8) }
  }

  @Test("the forecast of memory grows with the area and not with the length of a clip, and is what was measured")
  func memory() {
    let config = WanAutoencoderConfig()
    func gibibytes(_ frames: Int, _ scale: Int = 1, decoding: Bool) -> Double {
      let (height, width) = (240 * scale, 416 * scale)
      let bytes =
        decoding
        ? config.decodingBytes(frames: frames, height: height, width: width)
        : config.encodingBytes(frames: frames, height: height, width: width)
      return Double(bytes) / Double(1 << 30)
    }
    for decoding in [false, true] {
      #expect(gibibytes(81, decoding: decoding) == gibibytes(13, decoding: decoding))
      #expect(gibibytes(1, decoding: decoding) < gibibytes(13, decoding: decoding))
      let growth = gibibytes(13, 2, decoding: decoding) / gibibytes(13, decoding: decoding)
      // Transformed weights do not grow; of what is free, a gigabyte is kept.
      #expect((3...4).contains(growth), "\(growth)")
    }
    // Peaks of resident memory at this size, 1.51 and 2.00 GiB, less the program and half of the weights.
    #expect((1.1...1.4).contains(gibibytes(13, decoding: false)))
    #expect((1.5...1.9).contains(gibibytes(13, decoding: true)))
  }
}
