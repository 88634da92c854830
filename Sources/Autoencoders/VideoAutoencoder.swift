import Compute
import Layers
import Runtime
import Tensors

/// An autoencoder of clips `[B, C, F, H, W]` with pixel values in -1...1.
///
/// Clips go through in chunks of frames, and samples one by one, so memory does not grow with the length of a clip.
package protocol VideoAutoencoder: Sendable {
  /// Channels of the pixels that go in.
  var inputChannels: Int { get }
  var latentChannels: Int { get }
  /// Pixels per latent pixel along each side.
  var spatialRatio: Int { get }
  /// What decoded pixels are limited to, if the published implementation limits them; not where frames are in tiles.
  var outputRange: ClosedRange<Float>? { get }

  /// How frames are cut in time to encode them; frames beyond the last chunk are left out.
  func encodedChunks(frames: Int) -> [Range<Int>]
  /// How latent frames are cut in time to decode them.
  func decodedChunks(latentFrames: Int) -> [Range<Int>]
  /// `[F, H, W, C]` to the moments of latents: `[f, h, w, 2 L]`, means, then logarithms of variances.
  func encode(chunk: Tensor, _ cache: inout TemporalCache, _ context: RunContext) throws -> Tensor
  /// `[f, h, w, L]` to `[F, H, W, 3]`.
  func decode(chunk: Tensor, _ cache: inout TemporalCache, _ context: RunContext) throws -> Tensor
}

// MARK: - Encoding

extension VideoAutoencoder {
  /// The distribution of a clip's latents.
  ///
  /// - Parameters:
  ///   - video: `[B, C, F, H, W]`, values -1...1.
  ///   - tiling: cuts frames larger than a tile; nil to encode them whole.
  ///   - onProgress: called with the number of chunks done, and of all chunks.
  /// - Returns: `[B, L, f, h, w]` each, h and w being H and W over the spatial ratio, rounded down.
  package func encode(
    _ video: Tensor, tiling: SpatialTiling? = nil, context: RunContext = RunContext(),
    onProgress: @escaping (Int, Int) -> Void = { _, _ in }
  ) throws -> LatentPosterior {
    try check(video.shape, channels: inputChannels)
    let ranges = encodedChunks(frames: video.shape[2])
    let axes = try tiling.flatMap { tiling throws(AutoencoderError) in
      try tiling.validate(spatialRatio: spatialRatio)
      let axes = tiling.encoderAxes(spatialRatio)
      return isLarger(video.shape, than: axes) ? axes : nil
    }
    var progress = Progress(total: video.shape[0] * ranges.count * tileCount(axes, in: video.shape), onProgress)
    func encodeTile(_ tile: Tensor) throws -> Tensor {
      let (height, width) = (tile.shape[2], tile.shape[3])
      guard min(height, width) >= spatialRatio else {
        throw AutoencoderError.tooSmall(height: height, width: width, minimum: spatialRatio)
      }
      var cache = TemporalCache()
      var chunks: [Tensor] = []
      for range in ranges {
        try Interruption.check()
        cache.beginChunk(isLast: range == ranges.last)
        chunks.append(try encode(chunk: tile.sliced(1, range).permuted(1, 2, 3, 0).dense(), &cache, context))
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
  /// `[C, F, H, W]`, values about -1...1.
  package let pixels: Tensor
}

extension VideoAutoencoder {
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
    try check(latents.shape, channels: latentChannels)
    let ranges = decodedChunks(latentFrames: latents.shape[2])
    let axes = try tiling.flatMap { tiling throws(AutoencoderError) in
      try tiling.validate(spatialRatio: spatialRatio)
      let axes = tiling.decoderAxes(spatialRatio)
      return isLarger(latents.shape, than: axes) ? axes : nil
    }
    var progress = Progress(total: latents.shape[0] * ranges.count * tileCount(axes, in: latents.shape), onProgress)
    /// Decodes `[L, f, h, w]` and passes on chunks `[F, H, W, C]`.
    func decodeTile(_ tile: Tensor, _ take: (Tensor) throws -> Void) throws {
      var cache = TemporalCache()
      for range in ranges {
        try Interruption.check()
        cache.beginChunk(isLast: range == ranges.last)
        let frames = try decode(chunk: tile.sliced(1, range).permuted(1, 2, 3, 0).dense(), &cache, context)
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
        try decodeTile(latents[sample]) { frames in
          try handOut(outputRange.map { frames.clamped(to: $0) } ?? frames)
        }
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

extension VideoAutoencoder {
  private func check(_ shape: Shape, channels: Int) throws(AutoencoderError) {
    guard shape.rank == 5, shape[1] == channels, shape.extents.allSatisfy({ $0 > 0 }) else {
      throw .wrongShape(shape, channels: channels)
    }
  }

  private func isLarger(
    _ shape: Shape, than axes: (height: SpatialTiling.Axis, width: SpatialTiling.Axis)
  ) -> Bool {
    shape[3] > axes.height.size || shape[4] > axes.width.size
  }

  private func tileCount(_ axes: (height: SpatialTiling.Axis, width: SpatialTiling.Axis)?, in shape: Shape) -> Int {
    axes.map { $0.height.ranges(in: shape[3]).count * $0.width.ranges(in: shape[4]).count } ?? 1
  }
}

private struct Progress {
  let total: Int
  let report: (Int, Int) -> Void
  private var done = 0

  init(total: Int, _ report: @escaping (Int, Int) -> Void) {
    self.total = total
    self.report = report
  }

  mutating func advance() {
    done += 1
    report(done, total)
  }
}

extension Tensor {
  /// `[F, H, W, C]` as `[1, C, F, H, W]`, the layout of published implementations.
  var channelsFirst: Tensor {
    permuted(3, 0, 1, 2).reshaped([1, shape[3], shape[0], shape[1], shape[2]])
  }
}
