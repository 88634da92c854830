import CKernels

// Sound: the table holds pointers to functions without state.
extension vap_pair_kernels: @retroactive @unchecked Sendable {}

/// Products of values rounded to bfloat16 with sums in float32: about twice the speed of float32 on processors that have
/// the instruction, and what "bf16" means to other training programs.
package enum RoundedProduct {
  private static let pairKernels = vap_pair_kernels_for_this_machine()?.pointee

  /// Whether this processor has the instruction.
  package static var isAvailable: Bool { pairKernels != nil }

  /// Whether linear maps, forwards and backwards, round what they multiply, in this task and in the work that it spreads
  /// over `Workers`. Where it is on and not available, products stay float32, which is more exact and slower.
  @TaskLocal package static var isEnabled = false

  /// Whether products of so many rows are made here; fewer do not repay the packing.
  static func isUsed(rows: Int) -> Bool { isEnabled && isAvailable && rows >= 16 }

  /// Most terms of a product: a panel has the size of one of `PackedProduct`.
  static let depth = 2 * PackedProduct.depth
  /// Between the ends of rounded rows, in pairs, so that they do not all start at the same place of a page of the cache.
  static let rowGap = 16

  /// Rounds a row of `count` floats to pairs; an odd last one goes with zero.
  static func round(_ row: UnsafePointer<Float>, _ count: Int, to pairs: UnsafeMutablePointer<UInt32>) {
    if count % 2 == 1 { pairs[count / 2] = 0 }
    pairs.withMemoryRebound(to: UInt16.self, capacity: count) { kernels.narrow_bf16($0, row, count) }
  }

  /// C = A B' or, with `transposedB` false, A B; added to C with `adds`. All row-major.
  ///
  /// - Parameters: A is `[m, k / 2]` pairs, B is `[n, k]` (or `[k, n]`), C is `[m, n]`, n <= `PackedProduct.panel`,
  ///   k <= `depth`; rows lie `stride` elements apart.
  static func multiply(
    _ m: Int, _ n: Int, _ k: Int, _ a: UnsafePointer<UInt32>, strideA: Int, _ b: UnsafePointer<Float>, strideB: Int,
    transposedB: Bool, adds: Bool, _ c: UnsafeMutablePointer<Float>, strideC: Int
  ) {
    precondition(n <= PackedProduct.panel && k <= depth, "\(n) columns and \(k) terms do not fit a panel")
    guard let pairKernels else { preconditionFailure("products of pairs on a processor without them") }
    let width = (n + kernels.lanes - 1) / kernels.lanes * kernels.lanes
    let pairs = (k + 1) / 2
    // Rows of a panel are whole vectors; what lies behind the last column is multiplied but not written.
    let isCopied = transposedB || n < width
    withScratch(width * (pairs + (isCopied ? k : 0))) { scratch in
      let copy = scratch + width * pairs
      if transposedB {
        kernels.transpose(copy, width, b, strideB, 1, n, k)
      } else if isCopied {
        for row in 0..<k { (copy + row * width).update(from: b + row * strideB, count: n) }
      }
      scratch.withMemoryRebound(to: UInt32.self, capacity: width * pairs) { packed in
        pairKernels.pack(packed, isCopied ? UnsafePointer(copy) : b, isCopied ? width : strideB, k, width)
        pairKernels.multiply(c, strideC, a, strideA, packed, m, pairs, n, adds ? 1 : 0)
      }
    }
  }
}
