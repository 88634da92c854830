import Compute
import Synchronization
import Tensors

extension Tensor {
  /// Number of elements that are NaN or infinite; 0 for integer types.
  package var nonFiniteCount: Int {
    // A value is not finite exactly if all bits of its exponent are set.
    switch dtype {
    case .float64: countElements(withAllBits: 0x7FF0_0000_0000_0000 as UInt64)
    case .float32: countElements(withAllBits: 0x7F80_0000 as UInt32)
    case .bfloat16: countElements(withAllBits: 0x7F80 as UInt16)
    case .float16: countElements(withAllBits: 0x7C00 as UInt16)
    case .int64, .int32, .int16, .int8, .uint8, .bool: 0
    }
  }

  private func countElements<Bits: FixedWidthInteger & Sendable>(withAllBits mask: Bits) -> Int {
    let view = layout.isDense ? self : gathered()
    guard count > 0, let base = view.storage.bytes.baseAddress else { return 0 }
    // Sound: the elements are immutable and stay alive until the end of this function.
    nonisolated(unsafe) let elements = UnsafeRawPointer(base).assumingMemoryBound(to: Bits.self) + view.layout.offset
    let total = Atomic<Int>(0)
    withExtendedLifetime(view) {
      Workers.forEachBlock(of: 1 << 18, in: count) { range in
        var found = 0
        for index in range where elements[index] & mask == mask { found += 1 }
        total.wrappingAdd(found, ordering: .relaxed)
      }
    }
    return total.load(ordering: .relaxed)
  }
}
