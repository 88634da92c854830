import Compute
import Tensors

/// What one rank gives to each rank, and where it puts what it gets from each.
package struct Transfer: Sendable {
  package let source: Storage
  /// Bytes of `source`, by the rank that gets them.
  package let given: [Range<Int>]
  /// Not read or written by others until the exchange is over.
  package let target: Storage
  /// Bytes of `target`, by the rank that they come from; as many as that rank gives.
  package let taken: [Range<Int>]

  package init(source: Storage, given: [Range<Int>], target: Storage, taken: [Range<Int>]) {
    self.source = source
    self.given = given
    self.target = target
    self.taken = taken
  }

  /// Elements of dense tensors, in row-major order.
  init(_ source: Tensor, giving given: [Range<Int>], to target: Tensor, taking taken: [Range<Int>]) {
    precondition(source.layout.isDense && target.layout.isDense, "transfer of strided views")
    self.init(
      source: source.storage, given: given.map { source.bytes(of: $0) }, target: target.storage,
      taken: taken.map { target.bytes(of: $0) })
  }

  /// Copies what the rank `giver` gives to this one, which is `rank`, where both are in this process.
  package func take(from other: Transfer, rank giver: Int, on rank: Int) {
    let (from, to) = (other.given[rank], taken[giver])
    precondition(from.count == to.count, "rank \(giver) gives \(from.count) bytes where \(rank) takes \(to.count)")
    guard !from.isEmpty else { return }
    UnsafeMutableRawBufferPointer(rebasing: target.bytes[to])
      .copyMemory(from: UnsafeRawBufferPointer(rebasing: other.source.bytes[from]))
  }
}

extension Tensor {
  /// A row whose contents are to be taken from others.
  init(rowOf count: Int, _ dtype: DType) {
    self.init(storage: Storage(byteCount: max(count * dtype.byteCount, 1)), layout: Layout([count]), dtype: dtype)
  }

  fileprivate func bytes(of elements: Range<Int>) -> Range<Int> {
    let start = (layout.offset + elements.lowerBound) * dtype.byteCount
    return start..<start + elements.count * dtype.byteCount
  }
}
