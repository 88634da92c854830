import Compute
import Testing

@Suite("PackedProduct")
struct PackedProductTests {
  @Test(
    "Products of odd sizes, both orientations, alone and added, with room around rows",
    arguments: [[1, 1, 1], [5, 16, 7], [6, 64, 16], [13, 63, 33], [64, 17, 100], [71, 48, 1024]], [false, true])
  func products(sizes: [Int], isTransposed: Bool) {
    let (m, n, k) = (sizes[0], sizes[1], sizes[2])
    let (strideA, strideB, strideC) = (k + 3, (isTransposed ? k : n) + 2, n + 5)
    let (a, b) = (normals(m * strideA, seed: 1), normals((isTransposed ? n : k) * strideB, seed: 2))
    let start = normals(m * strideC, seed: 3)
    for adds in [false, true] {
      var c = start
      c.withUnsafeMutableBufferPointer { c in
        PackedProduct.multiply(
          m, n, k, a, strideA: strideA, b, strideB: strideB, transposedB: isTransposed, adds: adds, c.baseAddress!,
          strideC: strideC)
      }
      let expected = start.indices.map { index -> Double in
        let (row, column) = (index / strideC, index % strideC)
        guard column < n else { return Double(start[index]) }
        return (0..<k).reduce(adds ? Double(start[index]) : 0) { sum, i in
          sum + Double(a[row * strideA + i]) * Double(b[isTransposed ? column * strideB + i : i * strideB + column])
        }
      }
      // Sums of up to a thousand products of order 1.
      expectRow(c, expected, absolute: 1e-4, relative: 1e-5)
    }
  }

  @Test("Transposition of blocks and their edges, scaled", arguments: KernelTable.all)
  func transpose(table: KernelTable) {
    for (rows, columns) in [(1, 1), (3, 20), (16, 16), (17, 33), (48, 64), (40, 5)] {
      let (stride, outStride) = (columns + 1, rows + 2)
      let input = normals(rows * stride)
      let found = writingFloats(columns * outStride) {
        table.kernels.transpose($0, outStride, input, stride, 2, rows, columns)
      }
      for row in 0..<rows {
        for column in 0..<columns { #expect(found[column * outStride + row] == 2 * input[row * stride + column]) }
      }
    }
  }
}
