import COpenBLAS
import Foundation
import Runtime

/// OpenBLAS's single-precision matrix product, held to one thread per call: callers spread tiles over `Workers`.
package enum BLAS {
  /// The kernel family OpenBLAS chose for this processor, for example "Cooperlake".
  package static var coreName: String {
    prepare
    return String(cString: openblas_get_corename())
  }

  // One thread per call, whatever the environment says: tiles of fixed size make results independent of threads.
  private static let prepare: Void = openblas_set_num_threads(1)

  /// Threads that may multiply at the same time: with a limit to the address space as many as there are buffers for.
  ///
  /// OpenBLAS takes a buffer of 128 MiB for each and, where it gets none, tries again forever; so they are taken here,
  /// before anything else can take their place. They stay OpenBLAS's when they are given back.
  static let threadLimit: Int = {
    guard let left = MachineMemory.addressSpaceLeft else { return .max }
    typealias Take = @convention(c) (Int32) -> UnsafeMutableRawPointer?
    typealias Give = @convention(c) (UnsafeMutableRawPointer?) -> Void
    guard let take = dlsym(nil, "blas_memory_alloc"), let give = dlsym(nil, "blas_memory_free") else { return 1 }
    // The types that OpenBLAS's common.h declares these functions with.
    let (taking, giving) = (unsafeBitCast(take, to: Take.self), unsafeBitCast(give, to: Give.self))
    let affordable = left / 4 / bufferBytes
    let count = min(ProcessInfo.processInfo.activeProcessorCount, max(1, affordable))
    (0..<count).map { _ in taking(0) }.forEach(giving)
    return count
  }()

  /// A buffer and the stack of its thread.
  private static let bufferBytes = 136 << 20

  /// C = alpha A B' + beta C, or alpha A B + beta C with `transposedB` false; all row-major.
  ///
  /// - Parameters: A is `[m, k]` (or `[k, m]` with `transposedA`), B is `[n, k]` (or `[k, n]`), C is `[m, n]`; rows lie
  ///   `stride` elements apart.
  package static func multiply(
    _ m: Int, _ n: Int, _ k: Int, alpha: Float = 1,
    _ a: UnsafePointer<Float>, strideA: Int, transposedA: Bool = false,
    _ b: UnsafePointer<Float>, strideB: Int, transposedB: Bool = true,
    beta: Float = 0, _ c: UnsafeMutablePointer<Float>, strideC: Int
  ) {
    prepare
    cblas_sgemm(
      CblasRowMajor, transposedA ? CblasTrans : CblasNoTrans, transposedB ? CblasTrans : CblasNoTrans,
      Int32(m), Int32(n), Int32(k), alpha, a, Int32(strideA), b, Int32(strideB), beta, c, Int32(strideC))
  }

  /// Compares a few small products with plain loops; call once at start.
  ///
  /// Older OpenBLAS builds compute wrong results on processors they do not know. Sizes cover the kernels' whole tiles
  /// and their edges, both orientations and accumulation.
  package static func checkThisMachine() throws(BLASFailure) {
    if let limit = MachineMemory.addressSpaceLimit, limit < 1 << 30 { throw .addressSpace(bytes: limit) }
    var generator = RandomGenerator(seed: 1)
    for (m, n, k) in [(1, 1, 1), (3, 5, 7), (16, 16, 16), (33, 18, 65), (48, 70, 31)] {
      for isTransposed in [true, false] {
        let (a, b, start) = (generator.values(m * k), generator.values(n * k), generator.values(m * n))
        var c = start
        c.withUnsafeMutableBufferPointer { c in
          a.withUnsafeBufferPointer { a in
            b.withUnsafeBufferPointer { b in
              multiply(
                m, n, k, alpha: 0.5, a.baseAddress!, strideA: k, b.baseAddress!, strideB: isTransposed ? k : n,
                transposedB: isTransposed, beta: 1, c.baseAddress!, strideC: n)
            }
          }
        }
        for row in 0..<m {
          for column in 0..<n {
            var expected = Double(start[row * n + column])
            for i in 0..<k {
              expected += 0.5 * Double(a[row * k + i]) * Double(b[isTransposed ? column * k + i : i * n + column])
            }
            guard abs(Double(c[row * n + column]) - expected) < 1e-4 else {
              throw .wrongProduct(coreName: coreName, sizes: [m, n, k])
            }
          }
        }
      }
    }
  }
}

/// Why OpenBLAS cannot be used on this machine.
package enum BLASFailure: Failure, Equatable {
  /// Its results differ from a plain loop's.
  case wrongProduct(coreName: String, sizes: [Int])
  case addressSpace(bytes: Int)

  package var category: FailureCategory { .resources }
  package var message: String {
    switch self {
    case .wrongProduct(let coreName, let sizes):
      "OpenBLAS computes wrong products on this processor (kernels '\(coreName)', size \(sizes)); set "
        + "OPENBLAS_CORETYPE=Haswell or install a newer OpenBLAS"
    case .addressSpace(let bytes):
      "the address space is limited to \(bytes >> 20) MiB, too little for OpenBLAS; raise `ulimit -v` to 1 GiB or more"
    }
  }
}

extension RandomGenerator {
  fileprivate mutating func values(_ count: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      drawNormals(into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      initialized = count
    }
  }
}
