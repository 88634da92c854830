import Checkpoints
import Compute
import Layers
import Runtime
import Tensors

/// The causal 3-D autoencoder of CogVideoX (Yang et al., "CogVideoX", 2024), as published with the model's weights.
///
/// Clips are `[B, C, F, H, W]` with pixel values in -1...1. They go through in chunks of frames, and samples one by
/// one, so memory does not grow with the length of a clip.
package struct CogVideoXAutoencoder: Sendable {
  /// Frames of a chunk when encoding, and latent frames of a chunk when decoding (published implementation).
  private static let frameBatch = 8
  private static let latentFrameBatch = 2

  package let config: CogVideoXAutoencoderConfig
  private let encoder: CogVideoXEncoder
  private let decoder: CogVideoXDecoder
  private let momentsConv: PointwiseConv3D?
  private let latentsConv: PointwiseConv3D?

  /// - Parameter config: validated.
  package init(_ scope: ParameterScope, _ config: CogVideoXAutoencoderConfig) {
    self.config = config
    encoder = CogVideoXEncoder(scope("encoder"), config)
    decoder = CogVideoXDecoder(scope("decoder"), config)
    let channels = config.latentChannels
    momentsConv =
      config.usesQuantConv ? PointwiseConv3D(scope("quant_conv"), inputs: 2 * channels, outputs: 2 * channels) : nil
    latentsConv =
      config.usesPostQuantConv ? PointwiseConv3D(scope("post_quant_conv"), inputs: channels, outputs: channels) : nil
  }

  /// Loads a component's directory: `config.json` and weights.
  package init(directory: String) throws {
    let config = try ConfigFile.decode(CogVideoXAutoencoderConfig.self, at: "\(directory)/config.json")
    let loader = ParameterLoader(try WeightStore(directory: directory))
    self.init(loader.root, config)
    try loader.finish()
  }
}

// MARK: - Encoding

extension CogVideoXAutoencoder {
  /// Number of latent frames of a clip.
  package func latentFrameCount(frames: Int) -> Int {
    FrameBatches(frames: frames, size: Self.frameBatch).ranges.reduce(0) { sum, range in
      sum + (0..<config.temporalLevels).reduce(range.count) { count, _ in (count + 1) / 2 }
    }
  }

  /// The distribution of a clip's latents.
  ///
  /// - Parameters:
  ///   - video: `[B, 3, F, H, W]`, values -1...1.
  ///   - tiling: cuts frames larger than a tile; nil to encode them whole.
  ///   - onProgress: called with the number of chunks done, and of all chunks.
  /// - Returns: `[B, L, f, h, w]` each, h and w being H and W over the spatial ratio, rounded down.
  package func encode(
    _ video: Tensor, tiling: SpatialTiling? = nil, context: RunContext = RunContext(),
    onProgress: @escaping (Int, Int) -> Void = { _, _ in }
  ) throws -> LatentPosterior {
    try check(video.shape, channels: config.inputChannels)
    let batches = FrameBatches(frames: video.shape[2], size: Self.frameBatch)
    let axes = try tiling.flatMap { tiling throws(AutoencoderError) in
      try tiling.validate(spatialRatio: config.spatialRatio)
      let isLarger = video.shape[3] > tiling.tileHeight || video.shape[4] > tiling.tileWidth
      return isLarger ? tiling.encoderAxes(config.spatialRatio) : nil
    }
    var progress = Progress(
      total: video.shape[0] * batches.ranges.count * tileCount(axes, in: video.shape), report: onProgress)
    func encodeTile(_ tile: Tensor) throws -> Tensor {
      let (height, width) = (tile.shape[2], tile.shape[3])
      guard min(height, width) >= config.spatialRatio else {
        throw AutoencoderError.tooSmall(height: height, width: width, minimum: config.spatialRatio)
      }
      var cache = TemporalCache()
      var chunks: [Tensor] = []
      for range in batches.ranges {
        try Interruption.check()
        cache.beginChunk(isLast: range == batches.ranges.last)
        let moments = try encoder(tile.sliced(1, range).permuted(1, 2, 3, 0).dense(), &cache, context)
        chunks.append(momentsConv?(moments) ?? moments)
        progress.advance()
      }
      return Tensor.concatenated(chunks, axis: 0)
    }
    let samples = try (0..<video.shape[0]).map { sample in
      let clip = video[sample]
      return try axes.map { try SpatialTiling.map(clip, $0, encodeTile) } ?? encodeTile(clip)
    }
    return LatentPosterior(moments: Tensor.concatenated(samples.map(\.channelsFirst), axis: 0))
  }
}

// MARK: - Decoding

/// Some frames of one sample of a decoded clip.
package struct DecodedFrames: Sendable {
  package let sample: Int
  package let frames: Range<Int>
  /// `[C, F, H, W]`, values about -1...1, not clamped.
  package let pixels: Tensor
}

extension CogVideoXAutoencoder {
  /// Number of frames that a number of latent frames decodes to: with a ratio of 4, odd numbers n give 4 n - 3 frames,
  /// even ones 4 n.
  package func frameCount(latentFrames: Int) -> Int {
    FrameBatches(frames: latentFrames, size: Self.latentFrameBatch).ranges.reduce(0) { sum, range in
      sum + (0..<config.temporalLevels).reduce(range.count) { count, _ in 2 * count - count % 2 }
    }
  }

  /// Decodes latents, handing out frames as they are done.
  ///
  /// - Parameters:
  ///   - latents: `[B, L, f, h, w]`, not scaled.
  ///   - tiling: cuts frames larger than a tile; nil to decode them whole. With tiles, all frames of a sample come at
  ///     the end, since each tile decodes all of its frames first.
  ///   - onProgress: called with the number of chunks done, and of all chunks.
  ///   - onFrames: called with the frames of each sample in order.
  package func decode(
    _ latents: Tensor, tiling: SpatialTiling? = nil, context: RunContext = RunContext(),
    onProgress: @escaping (Int, Int) -> Void = { _, _ in }, onFrames: (DecodedFrames) throws -> Void
  ) throws {
    try check(latents.shape, channels: config.latentChannels)
    let batches = FrameBatches(frames: latents.shape[2], size: Self.latentFrameBatch)
    let axes = try tiling.flatMap { tiling throws(AutoencoderError) in
      try tiling.validate(spatialRatio: config.spatialRatio)
      let axes = tiling.decoderAxes(config.spatialRatio)
      return latents.shape[3] > axes.height.size || latents.shape[4] > axes.width.size ? axes : nil
    }
    var progress = Progress(
      total: latents.shape[0] * batches.ranges.count * tileCount(axes, in: latents.shape), report: onProgress)
    /// Decodes `[L, f, h, w]` and passes on chunks `[F, H, W, C]`.
    func decodeTile(_ tile: Tensor, _ take: (Tensor) throws -> Void) throws {
      var cache = TemporalCache()
      for range in batches.ranges {
        try Interruption.check()
        cache.beginChunk(isLast: range == batches.ranges.last)
        let chunk = tile.sliced(1, range).permuted(1, 2, 3, 0).dense()
        let frames = try decoder(latentsConv?(chunk) ?? chunk, &cache, context)
        progress.advance()
        try take(frames)
      }
    }
    for sample in 0..<latents.shape[0] {
      var done = 0
      func handOut(_ frames: Tensor) throws {
        defer { done += frames.shape[0] }
        try onFrames(
          DecodedFrames(
            sample: sample, frames: done..<done + frames.shape[0], pixels: frames.permuted(3, 0, 1, 2).dense()))
      }
      guard let axes else {
        try decodeTile(latents[sample], handOut)
        continue
      }
      try handOut(
        SpatialTiling.map(latents[sample], axes) { tile in
          var chunks: [Tensor] = []
          try decodeTile(tile) { chunks.append($0) }
          return Tensor.concatenated(chunks, axis: 0)
        })
    }
  }

  /// Decodes latents as a whole.
  ///
  /// - Returns: `[B, 3, F, H, W]`.
  package func decode(
    _ latents: Tensor, tiling: SpatialTiling? = nil, context: RunContext = RunContext(),
    onProgress: @escaping (Int, Int) -> Void = { _, _ in }
  ) throws -> Tensor {
    var samples: [[Tensor]] = []
    try decode(latents, tiling: tiling, context: context, onProgress: onProgress) { part in
      if part.sample == samples.count { samples.append([]) }
      samples[part.sample].append(part.pixels.reshaped(Shape([1] + part.pixels.shape.extents)))
    }
    return Tensor.concatenated(samples.map { Tensor.concatenated($0, axis: 2) }, axis: 0)
  }
}

// MARK: - Checks and progress

extension CogVideoXAutoencoder {
  private func check(_ shape: Shape, channels: Int) throws(AutoencoderError) {
    guard shape.rank == 5, shape[1] == channels, shape.extents.allSatisfy({ $0 > 0 }) else {
      throw .wrongShape(shape, channels: channels)
    }
  }

  private func tileCount(_ axes: (height: SpatialTiling.Axis, width: SpatialTiling.Axis)?, in shape: Shape) -> Int {
    axes.map { $0.height.ranges(in: shape[3]).count * $0.width.ranges(in: shape[4]).count } ?? 1
  }

  private struct Progress {
    let total: Int
    let report: (Int, Int) -> Void
    private var done = 0

    init(total: Int, report: @escaping (Int, Int) -> Void) {
      self.total = total
      self.report = report
    }

    mutating func advance() {
      done += 1
      report(done, total)
    }
  }
}
