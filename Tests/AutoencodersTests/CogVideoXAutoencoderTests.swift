import Checkpoints
import Compute
import Layers
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import Autoencoders

/// Parity with recorded results of the published implementation: random weights, narrow layers.
@Suite struct CogVideoXAutoencoderTests {
  // The recorded float32 results differ from float64 ones by 2e-6, and by 2.5e-5 in the last stages, whose values reach
  // 34.
  private static let tolerance = 1e-5
  private static let stageTolerance = 5e-5

  private let model: CogVideoXAutoencoder
  private let whole: WeightStore
  private let tiled: WeightStore

  init() throws {
    model = try CogVideoXAutoencoder(directory: Fixtures.path("cogvideox-tiny/checkpoint/vae"))
    whole = try WeightStore(file: Fixtures.path("cogvideox-tiny/goldens/vae.safetensors"))
    tiled = try WeightStore(file: Fixtures.path("cogvideox-tiny/goldens/vae_tiled.safetensors"))
  }

  /// uint8 `[F, H, W, C]` as `[1, C, F, H, W]` in -1...1.
  private func video(_ store: WeightStore, _ name: String, frames: Int) throws -> Tensor {
    let clip = try store.tensor(named: name).sliced(0, 0..<frames).dense().scaled(by: 2 / 255, adding: -1)
    return clip.permuted(3, 0, 1, 2).reshaped([1, clip.shape[3], frames, clip.shape[1], clip.shape[2]])
  }

  private func expect(_ actual: Tensor, _ store: WeightStore, _ name: String) throws {
    expectClose(
      actual, try store.tensor(named: name), absolute: Self.tolerance, relative: Self.tolerance, name)
  }

  @Test("encodes clips of any number of frames", arguments: [1, 5, 8, 9, 13, 17])
  func encode(_ frames: Int) throws {
    let posterior = try model.encode(video(whole, "video_17_uint8", frames: frames))
    try expect(posterior.mean, whole, "encode_\(frames).mean")
    try expect(posterior.logVariance, whole, "encode_\(frames).logvar")
    #expect(model.latentFrameCount(frames: frames) == posterior.mean.shape[2])
  }

  @Test("samples the posterior")
  func sample() throws {
    let posterior = try model.encode(video(whole, "video_17_uint8", frames: 9))
    try expect(posterior.sample(noise: whole.tensor(named: "posterior_eps_9")), whole, "encode_9.sample")
  }

  @Test("decodes any number of latent frames", arguments: [1, 5, 9, 13, 17])
  func decode(_ frames: Int) throws {
    let latents = try whole.tensor(named: "latents_5").sliced(2, 0..<(frames + 3) / 4)
    let decoded = try model.decode(latents)
    try expect(decoded, whole, "decode_\(frames)")
    #expect(model.frameCount(latentFrames: latents.shape[2]) == decoded.shape[2])
  }

  @Test("shows intermediate results under stable names")
  func stages() throws {
    let seen = Mutex<[String: Tensor]>([:])
    let context = RunContext { name, tensor in seen.withLock { $0[name] = tensor } }
    _ = try model.encode(video(whole, "video_17_uint8", frames: 1), context: context)
    _ = try model.decode(whole.tensor(named: "latents_5").sliced(2, 0..<2), context: context)
    let stages = whole.names.filter { $0.hasPrefix("stages.") }
    #expect(stages.count == 12)
    for stage in stages {
      let tensor = try #require(seen.withLock { $0[String(stage.dropFirst("stages.".count))] }, "\(stage)")
      expectClose(tensor, try whole.tensor(named: stage), absolute: Self.stageTolerance, "\(stage)")
    }
  }

  @Test("encodes and decodes in tiles that overlap")
  func tiles() throws {
    let tiling = SpatialTiling(tileHeight: 16, tileWidth: 32, overlapHeight: 0.5, overlapWidth: 0.25)
    let clip = try video(tiled, "video_uint8", frames: 9)
    let posterior = try model.encode(clip, tiling: tiling)
    try expect(posterior.mean, tiled, "encode.mean")
    try expect(posterior.logVariance, tiled, "encode.logvar")
    try expect(model.encode(clip).mean, tiled, "untiled.encode.mean")
    try expect(model.decode(tiled.tensor(named: "latents"), tiling: tiling), tiled, "decode")
  }
}
