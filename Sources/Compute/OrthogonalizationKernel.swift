/// The nearest matrix with orthonormal rows, roughly: a Newton-Schulz iteration that brings all singular values of a
/// matrix near 1 and leaves its singular vectors (Jordan et al., "Muon", 2024).
package enum OrthogonalizationKernel {
  // Chosen by the authors to raise small singular values fast; large ones end within 0.7...1.2 rather than at 1.
  private static let (first, third, fifth): (Float, Float, Float) = (3.4445, -4.7750, 2.0315)

  /// Replaces a matrix by X = a X + (b G + c G G) X with G = X X', `iterations` times, from X = matrix / length.
  ///
  /// - Parameter matrix: `[rows, columns]`, dense, `rows` at most `columns`.
  package static func apply(_ matrix: UnsafeMutablePointer<Float>, rows: Int, columns: Int, iterations: Int) {
    precondition(rows <= columns, "a matrix of \(rows) x \(columns) is taller than wide")
    let (count, square) = (rows * columns, rows * rows)
    var squares = 0.0
    for index in 0..<count { squares += Double(matrix[index]) * Double(matrix[index]) }
    kernels.affine(matrix, matrix, Float(1 / (squares.squareRoot() + 1e-7)), 0, count)
    withScratch(count + 2 * square) { scratch in
      let (gram, factor) = (scratch + count, scratch + count + square)
      for _ in 0..<iterations {
        BLAS.multiply(rows, rows, columns, matrix, strideA: columns, matrix, strideB: columns, gram, strideC: rows)
        factor.update(from: gram, count: square)
        BLAS.multiply(
          rows, rows, rows, alpha: fifth, gram, strideA: rows, gram, strideB: rows, transposedB: false, beta: third,
          factor, strideC: rows)
        scratch.update(from: matrix, count: count)
        BLAS.multiply(
          rows, columns, rows, factor, strideA: rows, scratch, strideB: columns, transposedB: false, beta: first,
          matrix, strideC: columns)
      }
    }
  }
}
