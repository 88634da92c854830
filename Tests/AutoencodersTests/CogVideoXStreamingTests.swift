import Compute
import Layers
import Runtime
import Tensors
import TestSupport
import Testing

@testable import Autoencoders

/// Properties that hold for any weights.
@Suite struct CogVideoXStreamingTests {
  /// Random weights, rounded to bfloat16 and then stored in the given type.
  private struct Source: ParameterSource {
    let isWidened: Bool
    let keys: [String] = []
    let description = "random weights"
    func tensor(_ key: String, _ shape: Shape) -> Tensor? {
      let stored = RandomSource(seed: 7, dtype: .bfloat16).tensor(key, shape)
      return isWidened ? stored?.dense() : stored
    }
  }

  private static func makeModel(isWidened: Bool = true) -> CogVideoXAutoencoder {
    var config = CogVideoXAutoencoderConfig()
    config.blockChannels = [12, 20]
    config.normGroups = 4
    config.layersPerBlock = 1
    config.latentChannels = 5
    config.temporalCompressionRatio = 2
    config.outputChannels = 5
    config.usesQuantConv = true
    config.usesPostQuantConv = true
    return CogVideoXAutoencoder(ParameterLoader(Source(isWidened: isWidened)).root, config)
  }

  private let model = makeModel()

  private func normal(_ shape: Shape, seed: UInt64) -> Tensor {
    var generator = RandomGenerator(seed: seed)
    return Tensor.normal(shape, from: &generator)
  }

  @Test("hands out the frames of each sample in order, and together they are the whole")
  func streaming() throws {
    let latents = normal([2, 5, 5, 4, 3], seed: 1)
    var parts: [DecodedFrames] = []
    var steps: [Int] = []
    try model.decode(latents) { done, total in
      #expect(total == 4)
      steps.append(done)
    } onFrames: {
      parts.append($0)
    }
    #expect(steps == [1, 2, 3, 4])
    #expect(parts.map(\.sample) == [0, 0, 1, 1])
    #expect(parts.map(\.frames) == [0..<5, 5..<9, 0..<5, 5..<9])
    let whole: Tensor = try model.decode(latents)
    #expect(whole.shape == [2, 5, 9, 8, 6])
    for part in parts {
      #expect(part.pixels.floats() == whole[part.sample].sliced(1, part.frames).floats())
    }
  }

  @Test("samples of a batch do not see each other")
  func batch() throws {
    let video = normal([2, 3, 9, 8, 6], seed: 2)
    let both = try model.encode(video)
    for sample in 0..<2 {
      let one = try model.encode(video.sliced(0, sample..<sample + 1))
      #expect(one.mean.floats() == both.mean[sample].floats())
      #expect(one.logVariance.floats() == both.logVariance[sample].floats())
    }
  }

  @Test("later frames do not change earlier ones of the chunks before")
  func causality() throws {
    let latents = normal([1, 5, 7, 4, 3], seed: 3)
    let all: Tensor = try model.decode(latents)
    // Five latent frames are cut in time as the first five of seven are: 3, 2, 2.
    let some: Tensor = try model.decode(latents.sliced(2, 0..<5))
    #expect(some.floats() == all.sliced(2, 0..<some.shape[2]).floats())
  }

  @Test("one tile as large as the frame is the frame")
  func singleTile() throws {
    let tiling = SpatialTiling(tileHeight: 8, tileWidth: 6)
    let latents = normal([1, 5, 3, 4, 3], seed: 4)
    let (tiled, whole): (Tensor, Tensor) = (try model.decode(latents, tiling: tiling), try model.decode(latents))
    #expect(tiled.floats() == whole.floats())
  }

  @Test("the number of threads changes no bit")
  func threads() throws {
    let threads = Workers.threadCount
    defer { Workers.threadCount = threads }
    let video = normal([1, 3, 9, 38, 30], seed: 5)
    let results = try [1, 2, 3].map { count in
      Workers.threadCount = count
      let mean = try model.encode(video).mean
      let decoded: Tensor = try model.decode(mean)
      return mean.floats() + decoded.floats()
    }
    #expect(results[0] == results[1])
    #expect(results[0] == results[2])
  }

  @Test("weights stored in 16 bits compute as the same weights in 32 bits")
  func bfloat16() throws {
    let latents = normal([1, 5, 3, 4, 3], seed: 6)
    let video = normal([1, 3, 5, 8, 6], seed: 6)
    let stored = Self.makeModel(isWidened: false)
    let (a, b): (Tensor, Tensor) = (try model.decode(latents), try stored.decode(latents))
    #expect(a.floats() == b.floats())
    #expect(try model.encode(video).mean.floats() == stored.encode(video).mean.floats())
  }

  @Test("clips that do not fit are refused")
  func wrongClips() {
    #expect(throws: AutoencoderError.wrongShape([1, 4, 1, 8, 8], channels: 3)) {
      try model.encode(Tensor.zeros([1, 4, 1, 8, 8]))
    }
    #expect(throws: AutoencoderError.wrongShape([1, 3, 0, 8, 8], channels: 3)) {
      try model.encode(Tensor.zeros([1, 3, 0, 8, 8]))
    }
    #expect(throws: AutoencoderError.wrongShape([5, 1, 4, 4], channels: 5)) {
      try model.decode(Tensor.zeros([5, 1, 4, 4])) { _ in }
    }
    #expect(throws: AutoencoderError.tooSmall(height: 8, width: 1, minimum: 2)) {
      try model.encode(Tensor.zeros([1, 3, 1, 8, 1]))
    }
    // The last tile has one column.
    #expect(throws: AutoencoderError.tooSmall(height: 4, width: 1, minimum: 2)) {
      try model.encode(
        Tensor.zeros([1, 3, 1, 4, 7]), tiling: SpatialTiling(tileHeight: 4, tileWidth: 4, overlapWidth: 0.5))
    }
  }

  @Test("the posterior's logarithm of variance is bounded")
  func posterior() {
    let posterior = LatentPosterior(moments: Tensor([1.0, 2, 3, -40, 0, 50], shape: [1, 2, 1, 1, 3]))
    #expect(posterior.mean.floats() == [1, 2, 3])
    #expect(posterior.logVariance.floats() == [-30, 0, 20])
    let sample = posterior.sample(noise: Tensor.filled([1, 1, 1, 1, 3], with: 2)).floats()
    #expect(sample[1] == 4)
    #expect(abs(sample[2] - (3 + 2 * 22026.465)) < 0.02)
  }
}
