import Tensors

/// How frames are cut into overlapping tiles that go through an autoencoder one by one, to bound memory.
///
/// Group norms see one tile, so results differ slightly from untiled ones; overlaps are cross-faded. The rules follow
/// the published implementation.
package struct SpatialTiling: Sendable, Equatable {
  /// Tiles in pixels; frames that fit into one are not cut.
  package var tileHeight: Int
  package var tileWidth: Int
  /// The part of a tile that overlaps with the next, 0 up to but not including 1.
  package var overlapHeight: Double
  package var overlapWidth: Double

  package init(tileHeight: Int, tileWidth: Int, overlapHeight: Double = 1 / 6, overlapWidth: Double = 1 / 5) {
    self.tileHeight = tileHeight
    self.tileWidth = tileWidth
    self.overlapHeight = overlapHeight
    self.overlapWidth = overlapWidth
  }

  /// Throws if a tile would be empty or would not advance.
  package func validate(spatialRatio: Int) throws(AutoencoderError) {
    for (name, size, overlap) in [("Height", tileHeight, overlapHeight), ("Width", tileWidth, overlapWidth)] {
      guard size >= spatialRatio, size <= 1 << 20 else {
        throw .invalidTiling(field: "tile\(name)", why: "must be at least \(spatialRatio) pixels, not \(size)")
      }
      guard overlap >= 0, overlap < 1 else {
        throw .invalidTiling(field: "overlap\(name)", why: "must be at least 0 and less than 1, not \(overlap)")
      }
      guard Axis(size, overlap, outputSize: size).stride > 0,
        Axis(size / spatialRatio, overlap, outputSize: size).stride > 0
      else {
        throw .invalidTiling(
          field: "overlap\(name)", why: "of \(overlap) leaves no step from tile to tile for tiles of \(size) pixels")
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

    init(_ size: Int, _ overlap: Double, outputSize: Int) {
      self.size = size
      stride = Int(Double(size) * (1 - overlap))
      blend = Int(Double(outputSize) * overlap)
      kept = outputSize - blend
    }

    func ranges(in extent: Int) -> [Range<Int>] {
      Swift.stride(from: 0, to: extent, by: stride).map { $0..<min($0 + size, extent) }
    }
  }

  func encoderAxes(_ spatialRatio: Int) -> (height: Axis, width: Axis) {
    (
      Axis(tileHeight, overlapHeight, outputSize: tileHeight / spatialRatio),
      Axis(tileWidth, overlapWidth, outputSize: tileWidth / spatialRatio)
    )
  }

  func decoderAxes(_ spatialRatio: Int) -> (height: Axis, width: Axis) {
    (
      Axis(tileHeight / spatialRatio, overlapHeight, outputSize: tileHeight),
      Axis(tileWidth / spatialRatio, overlapWidth, outputSize: tileWidth)
    )
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
