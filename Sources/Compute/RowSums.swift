import CKernels

/// Sums over rows, in blocks, so that rounding errors grow with the number of blocks and not of rows.
package enum RowSums {
  private static let columnTile = 128
  private static let rowBlock = 64

  /// output = sum over rows of `rows`, or of `rows` times `factors`, element by element; both `[count, width]`, dense.
  package static func apply(
    _ rows: UnsafePointer<Float>, times factors: UnsafePointer<Float>? = nil, count: Int, width: Int,
    _ output: UnsafeMutablePointer<Float>
  ) {
    // Sound: tiles write disjoint columns.
    nonisolated(unsafe) let (rows, factors, output) = (rows, factors, output)
    Workers.forEachBlock(of: columnTile, in: width) { columns in
      let target = output + columns.lowerBound
      target.update(repeating: 0, count: columns.count)
      withScratch(columns.count) { sum in
        for first in stride(from: 0, to: count, by: rowBlock) {
          sum.update(repeating: 0, count: columns.count)
          for row in first..<min(count, first + rowBlock) {
            let offset = row * width + columns.lowerBound
            if let factors {
              kernels.accumulate_product(sum, rows + offset, factors + offset, columns.count)
            } else {
              kernels.add(sum, sum, rows + offset, columns.count)
            }
          }
          kernels.add(target, target, sum, columns.count)
        }
      }
    }
  }
}
