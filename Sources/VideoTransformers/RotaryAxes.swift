import Compute
import Tensors

/// Angles of a rotary embedding over time, rows and columns: one row of angles for each position on an axis.
///
/// A token's angles are those of its time, row and column side by side; tokens go time by time, row by row.
struct RotaryAxes<Angle: BinaryFloatingPoint> {
  let times: [[Angle]]
  let rows: [[Angle]]
  let columns: [[Angle]]

  /// `[N, K / 2]` in row-major order, N being the product of the numbers of positions.
  var angles: [Angle] {
    times.flatMap { time in rows.flatMap { row in columns.flatMap { column in time + row + column } } }
  }
}

extension RotaryTable {
  /// - Parameters: cosines, sines: `[N, headSize / 2]` in row-major order, one for each rotated pair.
  init(cosines: [Float], sines: [Float], headSize: Int) {
    let shape: Shape = [2 * cosines.count / headSize, headSize]
    func paired(_ values: [Float]) -> Tensor {
      Tensor(shape) { output in
        for (index, value) in values.enumerated() { (output[2 * index], output[2 * index + 1]) = (value, value) }
      }
    }
    self.init(cosines: paired(cosines), sines: paired(sines))
  }

  /// This table's tokens followed by another's.
  func followed(by other: RotaryTable) -> RotaryTable {
    RotaryTable(
      cosines: .concatenated([cosines, other.cosines], axis: 0), sines: .concatenated([sines, other.sines], axis: 0))
  }
}
