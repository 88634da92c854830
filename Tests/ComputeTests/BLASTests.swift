import Compute
import Testing

@Suite("BLAS")
struct BLASTests {
  @Test("This machine's OpenBLAS computes right products")
  func machine() throws {
    try BLAS.checkThisMachine()
    #expect(!BLAS.coreName.isEmpty)
  }

  @Test(
    "Products of strided matrices in both orientations, scaled and added",
    arguments: [[1, 1, 1], [1, 70, 33], [70, 1, 33], [5, 3, 200], [130, 67, 90]], [true, false])
  func products(sizes: [Int], isTransposed: Bool) {
    let (m, n, k) = (sizes[0], sizes[1], sizes[2])
    let (strideA, strideB, strideC) = (k + 3, (isTransposed ? k : n) + 2, n + 1)
    let a = normals(m * strideA, seed: 1)
    let b = normals((isTransposed ? n : k) * strideB, seed: 2)
    let start = normals(m * strideC, seed: 3)
    var c = start
    BLAS.multiply(
      m, n, k, alpha: 0.5, a, strideA: strideA, b, strideB: strideB, transposedB: isTransposed, beta: 2, &c,
      strideC: strideC)
    for row in 0..<m {
      for column in 0..<n {
        let sum = (0..<k).reduce(0.0) { sum, i in
          sum + Double(a[row * strideA + i]) * Double(b[isTransposed ? column * strideB + i : i * strideB + column])
        }
        let expected = 0.5 * sum + 2 * Double(start[row * strideC + column])
        #expect(abs(Double(c[row * strideC + column]) - expected) < 2e-5)
      }
      #expect(c[row * strideC + n] == start[row * strideC + n], "the gap between rows was written")
    }
  }

  @Test("What the result held before does not matter without accumulation", arguments: [4, 130])
  func overwritten(size: Int) {
    let a = normals(size * size)
    var c = [Float](repeating: .nan, count: size * size)
    BLAS.multiply(size, size, size, a, strideA: size, a, strideB: size, &c, strideC: size)
    #expect(c.allSatisfy { $0.isFinite })
  }
}
