import Compute
import Foundation
import Tensors

/// The rotary grid of a CogVideoX model: a third-axis table of (time, row, column).
///
/// Of each head, a quarter rotates with time and three eighths each with row and column; frequencies are
/// 10000^(-2j/d) within each part. All in float32, as published.
package struct RotaryGrid: Sendable, Equatable {
  package let headSize: Int
  /// Size of the base grid in tokens (`sample_height / patch_size`, `sample_width / patch_size`), from which the crop
  /// region is taken.
  package let baseRows: Int
  package let baseColumns: Int
  /// Size of the clip in latent frames and tokens.
  package let frames: Int
  package let rows: Int
  package let columns: Int

  package init(headSize: Int, baseRows: Int, baseColumns: Int, frames: Int, rows: Int, columns: Int) {
    self.headSize = headSize
    self.baseRows = baseRows
    self.baseColumns = baseColumns
    self.frames = frames
    self.rows = rows
    self.columns = columns
  }

  /// The table of the target: `[F rows columns, K]`.
  package func targetTable() -> RotaryTable { table(times: (0..<frames).map(Float.init), columnShift: 0) }

  /// The table of `count` references of the target's size, first reference first: `[count F rows columns, K]`.
  package func referenceTable(count: Int, _ design: PositionDesign) -> RotaryTable {
    table(
      times: design.referenceTimes(count: count, frames: frames).map(Float.init),
      columnShift: Float(design.columnShift(columns: columns)))
  }

  private func table(times: [Float], columnShift: Float) -> RotaryTable {
    let crop = cropRegion()
    let rowPositions = Self.linspace(
      Double(crop.top), Double(crop.top + crop.height) * Double(rows - 1) / Double(rows), rows)
    let columnPositions = Self.linspace(
      Double(crop.left), Double(crop.left + crop.width) * Double(columns - 1) / Double(columns), columns)
    let (temporal, axis) = (headSize / 4, headSize * 3 / 8)
    let axes = RotaryAxes(
      times: Self.angles(times, temporal), rows: Self.angles(rowPositions, axis),
      columns: Self.angles(columnPositions.map { $0 + columnShift }, axis))
    let angles = axes.angles
    return RotaryTable(
      cosines: angles.map { Foundation.cos($0) }, sines: angles.map { Foundation.sin($0) }, headSize: headSize)
  }

  /// The part of the base grid that the clip's aspect ratio covers, in tokens.
  package func cropRegion() -> (top: Int, left: Int, height: Int, width: Int) {
    let ratio = Double(rows) / Double(columns)
    let (height, width): (Int, Int) =
      ratio > Double(baseRows) / Double(baseColumns)
      ? (baseRows, Int((Double(baseRows) / Double(rows) * Double(columns)).rounded(.toNearestOrEven)))
      : (Int((Double(baseColumns) / Double(columns) * Double(rows)).rounded(.toNearestOrEven)), baseColumns)
    return (
      Int((Double(baseRows - height) / 2).rounded(.toNearestOrEven)),
      Int((Double(baseColumns - width) / 2).rounded(.toNearestOrEven)), height, width
    )
  }

  /// Angles position x frequency, one row per position, `size / 2` frequencies.
  private static func angles(_ positions: [Float], _ size: Int) -> [[Float]] {
    let frequencies = stride(from: 0, to: size, by: 2).map { 1 / Foundation.pow(Float(10000), Float($0) / Float(size)) }
    return positions.map { position in frequencies.map { position * $0 } }
  }

  /// PyTorch's float32 linspace: symmetric, from the nearer end.
  private static func linspace(_ start: Double, _ end: Double, _ count: Int) -> [Float] {
    let (start, end) = (Float(start), Float(end))
    guard count > 1 else { return count == 1 ? [start] : [] }
    let step = (end - start) / Float(count - 1)
    return (0..<count).map { $0 < count / 2 ? start + step * Float($0) : end - step * Float(count - 1 - $0) }
  }
}

extension CogVideoXConfiguration {
  /// The grid of a clip of `frames` latent frames of `height` x `width` latents.
  package func rotaryGrid(frames: Int, height: Int, width: Int) -> RotaryGrid {
    RotaryGrid(
      headSize: headSize, baseRows: sampleHeight / patchSize, baseColumns: sampleWidth / patchSize, frames: frames,
      rows: height / patchSize, columns: width / patchSize)
  }
}
