import Compute

extension Tensor {
  /// Calls `body` with the elements, dense, to change them in place.
  ///
  /// For state that one owner changes again and again, such as an optimizer's. A tensor whose storage is shared, or lies in
  /// a file, gets a storage of its own first, so nobody else sees the change.
  package mutating func withMutableBytes<Result>(
    _ body: (UnsafeMutableRawPointer) throws -> Result
  ) rethrows -> Result {
    if !isKnownUniquelyReferenced(&storage) || storage.isMapped || !layout.isDense { self = copied }
    // Owned storage always has an address.
    return try body(storage.bytes.baseAddress! + layout.offset * dtype.byteCount)
  }

  /// `withMutableBytes` for float32 tensors.
  package mutating func withMutableFloats<Result>(
    _ body: (UnsafeMutablePointer<Float>) throws -> Result
  ) rethrows -> Result {
    precondition(dtype == .float32, "floats of a \(dtype.rawValue) tensor")
    return try withMutableBytes { try body($0.assumingMemoryBound(to: Float.self)) }
  }

  /// The same contents in a storage of their own.
  private var copied: Tensor {
    let dense = layout.isDense ? self : gathered()
    let storage = Storage(byteCount: max(byteCount, 1))
    let start = dense.layout.offset * dtype.byteCount
    storage.bytes.copyMemory(
      from: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(dense.storage.bytes)[start..<start + byteCount]))
    return Tensor(storage: storage, layout: Layout(shape), dtype: dtype, node: node)
  }
}
