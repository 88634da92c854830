import Compute
import Foundation
import Tensors

/// The rotary grid of a Wan model: whole positions of time, row and column.
///
/// A third of each head, rounded down to pairs, rotates with row and with column each, and the rest with time: 44, 42
/// and 42 of 128 channels. Frequencies are 10000^(-2j/d) within each part. Angles are float64, as published.
package struct WanRotaryGrid: Sendable, Equatable {
  package let headSize: Int
  /// Size of a clip in latent frames and tokens.
  package let frames: Int
  package let rows: Int
  package let columns: Int

  package init(headSize: Int, frames: Int, rows: Int, columns: Int) {
    self.headSize = headSize
    self.frames = frames
    self.rows = rows
    self.columns = columns
  }

  /// The table of the target: `[F rows columns, K]`.
  package func targetTable() -> RotaryTable { table(targetAngles()) }

  /// The table of `count` references of this size, first reference first: `[count F rows columns, K]`.
  ///
  /// The published code knows one reference; several follow each other in time as they do for CogVideoX.
  package func referenceTable(count: Int, _ design: PositionDesign) -> RotaryTable {
    table(referenceAngles(count: count, design))
  }

  /// The target's angles, `[F rows columns, K / 2]` in row-major order.
  package func targetAngles() -> [Double] { angles(times: Array(0..<frames), columnShift: 0) }

  /// The references' angles, laid out alike.
  package func referenceAngles(count: Int, _ design: PositionDesign) -> [Double] {
    angles(
      times: design.referenceTimes(count: count, frames: frames), columnShift: design.columnShift(columns: columns))
  }

  private func table(_ angles: [Double]) -> RotaryTable {
    RotaryTable(cosines: angles.map { Float(cos($0)) }, sines: angles.map { Float(sin($0)) }, headSize: headSize)
  }

  private func angles(times: [Int], columnShift: Int) -> [Double] {
    let planeSize = headSize / 6 * 2
    func axis(_ positions: [Int], _ size: Int) -> [[Double]] {
      let frequencies = stride(from: 0, to: size, by: 2).map { 1 / pow(10000, Double($0) / Double(size)) }
      return positions.map { position in frequencies.map { Double(position) * $0 } }
    }
    return RotaryAxes(
      times: axis(times, headSize - 2 * planeSize), rows: axis(Array(0..<rows), planeSize),
      columns: axis((0..<columns).map { $0 + columnShift }, planeSize)
    ).angles
  }
}
