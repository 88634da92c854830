import CKernels

// Sound: the table holds pointers to functions without state and a constant string.
extension vap_kernels: @retroactive @unchecked Sendable {}

/// The row kernels for the processor this process runs on.
package let kernels: vap_kernels = vap_kernels_for_this_machine().pointee

/// Copies `count` elements of `size` bytes that lie `stride` elements apart into a dense row.
package func copyStrided(
  _ target: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, stride: Int, count: Int, size: Int
) {
  vap_copy_strided(target, source, stride, count, size)
}

/// Where a layer norm's parameter gradients are summed over rows; nil where nobody needs them.
package typealias NormSums = vap_norm_sums
