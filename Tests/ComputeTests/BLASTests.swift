import COpenBLAS
import Runtime
import TestSupport
import Testing

@testable import Compute

@Suite("BLAS")
struct BLASTests {
  @Test("This machine's OpenBLAS computes right products")
  func machine() throws {
    try BLAS.checkThisMachine()
    #expect(!BLAS.coreName.isEmpty)
  }

  @Test("R07: OpenBLAS stays at one thread for each product, whatever it was told before the first")
  func oneThread() throws {
    try BLAS.checkThisMachine()
    withThreads(2) { Workers.forEach(8) { _ in _ = product(130) } }
    #expect(openblas_get_num_threads() == 1)
    #expect((BLAS.threadLimit == .max) == (MachineMemory.addressSpaceLimit == nil))
  }

  @Test("R05, R07: where the address space is limited there are as many threads as buffers, at least one")
  func limitedAddressSpace() async {
    await #expect(processExitsWith: .success) {
      try limitAddressSpace(growingBy: 700 << 20)
      Workers.threadCount = 64
      // A quarter of 700 MiB is one buffer.
      #expect(BLAS.threadLimit == 1 && Workers.threadCount == 1)
      Workers.forEach(8) { _ in _ = product(130) }
    }
  }

  @Test("R06: products of values too small to be normal are finite")
  func subnormals() {
    let size = 70
    let faint = Float(bitPattern: 71_362)  // 1e-40
    let a = [Float](repeating: faint, count: size * size)
    let b = [Float](repeating: 1e30, count: size * size)
    var c = b
    BLAS.multiply(size, size, size, a, strideA: size, a, strideB: size, &c, strideC: size)
    #expect(c.allSatisfy { $0 == 0 })
    BLAS.multiply(size, size, size, a, strideA: size, b, strideB: size, &c, strideC: size)
    // Whether they count or pass for zero is OpenBLAS's choice.
    #expect(c.allSatisfy { $0 == 0 || abs($0 - 70e-10) < 1e-13 })
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

/// The square of a matrix of ones; its values are its size.
private func product(_ size: Int) -> [Float] {
  let ones = [Float](repeating: 1, count: size * size)
  var c = ones
  BLAS.multiply(size, size, size, ones, strideA: size, ones, strideB: size, &c, strideC: size)
  return c
}
