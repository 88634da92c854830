import CKernels

/// Products of a few columns at a time with our own kernel, which beats OpenBLAS's 0.3.21 by 4 to 20 % where vectors
/// have 16 floats (scripts/bench/NOTES.md): the columns are packed once for thousands of rows, which stay as they lie.
package enum PackedProduct {
  /// Rows that share a packed panel.
  package static let tileRows = 2048
  /// Columns of a panel.
  package static let panel = Int(VAP_PANEL)
  /// Most terms of a product: a panel of 256 KB stays in the second cache beside the rows that pass through.
  package static let depth = 1024

  /// Whether products of so many rows are faster this way; fewer do not repay the packing.
  package static func isFast(rows: Int) -> Bool { kernels.lanes == 16 && rows >= 64 }

  /// C = A B' or, with `transposedB` false, A B; added to C with `adds`. All row-major.
  ///
  /// - Parameters: A is `[m, k]`, B is `[n, k]` (or `[k, n]`), C is `[m, n]`, n <= `panel`, k <= `depth`; rows lie
  ///   `stride` elements apart.
  package static func multiply(
    _ m: Int, _ n: Int, _ k: Int, _ a: UnsafePointer<Float>, strideA: Int, _ b: UnsafePointer<Float>, strideB: Int,
    transposedB: Bool, adds: Bool, _ c: UnsafeMutablePointer<Float>, strideC: Int
  ) {
    precondition(n <= panel && k <= depth, "a product of \(n) columns and \(k) terms does not fit a panel")
    // Rows of a panel are whole vectors; what lies behind the last column is multiplied but not written.
    let width = (n + kernels.lanes - 1) / kernels.lanes * kernels.lanes
    withScratch(width * k) { packed in
      if transposedB {
        kernels.transpose(packed, width, b, strideB, 1, n, k)
      } else {
        for row in 0..<k { (packed + row * width).update(from: b + row * strideB, count: n) }
      }
      kernels.multiply_panel(c, strideC, a, strideA, packed, m, k, n, adds ? 1 : 0)
    }
  }
}
