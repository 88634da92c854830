import Foundation
import Runtime
import Synchronization

/// Keeps freed memory blocks for reuse.
///
/// Fresh memory costs a page fault per page, several times the cost of a vectorised pass over it; activations come in
/// few sizes again and again, so their blocks are kept. Large blocks ask for huge pages.
package final class BufferPool: Sendable {
  package static let shared = BufferPool()

  private struct State {
    var free: [Int: [UInt]] = [:]  // capacity -> addresses
    var freeBytes = 0
    var usedBytes = 0
    var peakBytes = 0
  }

  private let state = Mutex(State())

  /// Blocks up to this size come in powers of two; larger ones in steps of an eighth of their power of two.
  static func capacity(for byteCount: Int) -> Int {
    let minimum = max(byteCount, 4096)
    let power = 1 << (Int.bitWidth - 1 - minimum.leadingZeroBitCount)
    let step = max(power / 8, 4096)
    return (minimum + step - 1) / step * step
  }

  private static let hugePage = 2 << 20
  /// Unused bytes beyond this go back to the system at once.
  static let keptBytes = 1 << 30

  /// A block of at least `byteCount` bytes, aligned to 4096. If the system has none, that is the end of the process.
  package func take(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
    let capacity = Self.capacity(for: byteCount)
    let reused: UInt? = state.withLock { state in
      state.usedBytes += capacity
      let address = state.free[capacity]?.popLast()
      if address != nil { state.freeBytes -= capacity }
      state.peakBytes = max(state.peakBytes, state.usedBytes + state.freeBytes)
      return address
    }
    if let reused {
      return UnsafeMutableRawBufferPointer(start: UnsafeMutableRawPointer(bitPattern: reused), count: capacity)
    }
    var pointer: UnsafeMutableRawPointer?
    let alignment = capacity >= Self.hugePage ? Self.hugePage : 4096
    guard posix_memalign(&pointer, alignment, capacity) == 0, let pointer else {
      trim()
      guard posix_memalign(&pointer, alignment, capacity) == 0, let pointer else {
        MemoryExhaustion.end(asking: capacity)
      }
      return UnsafeMutableRawBufferPointer(start: pointer, count: capacity)
    }
    if capacity >= Self.hugePage { madvise(pointer, capacity, MADV_HUGEPAGE) }
    return UnsafeMutableRawBufferPointer(start: pointer, count: capacity)
  }

  package func give(_ block: UnsafeMutableRawBufferPointer) {
    guard let base = block.baseAddress else { return }
    let isKept = state.withLock { state in
      state.usedBytes -= block.count
      guard state.freeBytes + block.count <= Self.keptBytes else { return false }
      state.freeBytes += block.count
      state.free[block.count, default: []].append(UInt(bitPattern: base))
      return true
    }
    if !isKept { free(base) }
  }

  /// Returns all unused blocks to the system: between stages that need different sizes.
  package func trim() {
    let blocks = state.withLock { state in
      defer {
        state.free = [:]
        state.freeBytes = 0
      }
      return state.free.values.flatMap { $0 }
    }
    for address in blocks { free(UnsafeMutableRawPointer(bitPattern: address)) }
  }

  /// Bytes by which blocks and mapped files may still grow within this process's address space; nil if it has no limit.
  package var addressSpaceLeft: Int? {
    MachineMemory.addressSpaceLeft.map { $0 + state.withLock { $0.freeBytes } }
  }

  /// Bytes in live blocks, and the largest sum of live and kept blocks so far.
  package var statistics: (used: Int, peak: Int) { state.withLock { ($0.usedBytes, $0.peakBytes) } }
}
