import Tensors

/// How frames are cut into overlapping tiles that go through an autoencoder one by one, to bound memory.
///
/// Norms and convolutions see one tile, so results differ slightly from untiled ones; overlaps are cross-faded. The
/// rules follow the published implementations.
package struct SpatialTiling: Sendable, Equatable {
  /// Frames that fit into one tile are not cut.
  package var height: Side
  package var width: Side

  /// One side of the tiles.
  package struct Side: Sendable, Equatable {
    /// In pixels.
    package var size: Int
    package var advance: Advance
  }

  /// How far it is from one tile to the next.
  package enum Advance: Sendable, Equatable {
    /// This part of a tile overlaps with the next, 0 up to but not including 1.
    case overlap(Double)
    /// In pixels, up to the size of a tile.
    case stride(Int)
  }

  package init(tileHeight: Int, tileWidth: Int, overlapHeight: Double = 1 / 6, overlapWidth: Double = 1 / 5) {
    height = Side(size: tileHeight, advance: .overlap(overlapHeight))
    width = Side(size: tileWidth, advance: .overlap(overlapWidth))
  }

  package init(tileHeight: Int, tileWidth: Int, strideHeight: Int, strideWidth: Int) {
    height = Side(size: tileHeight, advance: .stride(strideHeight))
    width = Side(size: tileWidth, advance: .stride(strideWidth))
  }

  /// Throws if a tile would be empty or would not advance.
  package func validate(spatialRatio: Int) throws(AutoencoderError) {
    for (name, side) in [("Height", height), ("Width", width)] {
      let size = side.size
      guard size >= spatialRatio, size <= 1 << 20 else {
        throw .invalidTiling(field: "tile\(name)", why: "must be at least \(spatialRatio) pixels, not \(size)")
      }
      switch side.advance {
      case .overlap(let overlap):
        guard overlap >= 0, overlap < 1 else {
          throw .invalidTiling(field: "overlap\(name)", why: "must be at least 0 and less than 1, not \(overlap)")
        }
        guard Axis(side, inputSize: size, outputSize: size).stride > 0,
          Axis(side, inputSize: size / spatialRatio, outputSize: size).stride > 0
        else {
          throw .invalidTiling(
            field: "overlap\(name)", why: "of \(overlap) leaves no step from tile to tile for tiles of \(size) pixels")
        }
      case .stride(let stride):
        guard stride > 0, stride <= size, stride % spatialRatio == 0, size % spatialRatio == 0 else {
          throw .invalidTiling(
            field: "stride\(name)",
            why: "of \(stride) for tiles of \(size) pixels must not be larger than them, and both must be multiples of "
              + "\(spatialRatio)")
        }
      }
    }
  }

  /// One axis of the cut: the input is read in tiles of `size` every `stride`; the output's tiles are faded over
  /// `blend` and keep `kept`.
  struct Axis {
    let size: Int
    let stride: Int
    let blend: Int
    let kept: Int

    /// - Parameters: inputSize, outputSize: a tile's in pixels or latents.
    init(_ side: Side, inputSize: Int, outputSize: Int) {
      size = inputSize
      switch side.advance {
      case .overlap(let overlap):
        stride = Int(Double(inputSize) * (1 - overlap))
        blend = Int(Double(outputSize) * overlap)
        kept = outputSize - blend
      case .stride(let pixels):
        stride = pixels * inputSize / side.size
        kept = pixels * outputSize / side.size
        blend = outputSize - kept
      }
    }

    func ranges(in extent: Int) -> [Range<Int>] {
      Swift.stride(from: 0, to: extent, by: stride).map { $0..<min($0 + size, extent) }
    }
  }

  func encoderAxes(_ spatialRatio: Int) -> (height: Axis, width: Axis) {
    func axis(_ side: Side) -> Axis { Axis(side, inputSize: side.size, outputSize: side.size / spatialRatio) }
    return (axis(height), axis(width))
  }

  func decoderAxes(_ spatialRatio: Int) -> (height: Axis, width: Axis) {
    func axis(_ side: Side) -> Axis { Axis(side, inputSize: side.size / spatialRatio, outputSize: side.size) }
    return (axis(height), axis(width))
  }

  /// Maps a clip tile by tile and joins the results.
  ///
  /// - Parameters:
  ///   - clip: `[..., H, W]`, cut on its last two axes.
  ///   - map: takes a tile of `clip` to a channels-last clip `[F, h, w, C]`.
  /// - Returns: `[F, H', W', C]`.
  static func map(
    _ clip: Tensor, _ axes: (height: Axis, width: Axis), _ map: (Tensor) throws -> Tensor
  ) rethrows -> Tensor {
    var above: [Tensor] = []
    var bands: [Tensor] = []
    for rows in axes.height.ranges(in: clip.shape[-2]) {
      var row: [Tensor] = []
      for (index, columns) in axes.width.ranges(in: clip.shape[-1]).enumerated() {
        var tile = try map(clip.sliced(-2, rows).sliced(-1, columns))
        // Neighbours that are blended already are faded in, corners included.
        if !above.isEmpty { tile = tile.blended(after: above[index], axis: 1, extent: axes.height.blend) }
        if let left = row.last { tile = tile.blended(after: left, axis: 2, extent: axes.width.blend) }
        row.append(tile)
      }
      bands.append(
        Tensor.concatenated(
          row.map { tile in
            tile.sliced(1, 0..<min(axes.height.kept, tile.shape[1])).sliced(2, 0..<min(axes.width.kept, tile.shape[2]))
          }, axis: 2))
      above = row
    }
    return Tensor.concatenated(bands, axis: 1)
  }
}
