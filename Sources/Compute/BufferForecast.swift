/// The memory that `BufferPool` will hold for blocks that come and go in a known order: told before anything is computed.
package struct BufferForecast {
  /// Blocks of one capacity.
  private struct Kind {
    var used = 0
    var kept = 0
    /// Bytes asked of a block at most; the rest of its capacity is never touched.
    var touched = 0
  }

  private var kinds: [Int: Kind] = [:]
  private var keptBytes = 0
  /// The most memory that was touched at one time, in bytes.
  package private(set) var peakBytes = 0

  package init() {}

  package mutating func take(_ byteCount: Int) {
    let capacity = BufferPool.capacity(for: byteCount)
    var kind = kinds[capacity] ?? Kind()
    if kind.kept > 0 {
      kind.kept -= 1
      keptBytes -= capacity
    }
    kind.used += 1
    kind.touched = max(kind.touched, byteCount)
    kinds[capacity] = kind
    peakBytes = max(peakBytes, kinds.values.reduce(0) { $0 + ($1.used + $1.kept) * $1.touched })
  }

  /// Gives back a block that was taken for as many bytes.
  package mutating func give(_ byteCount: Int) {
    let capacity = BufferPool.capacity(for: byteCount)
    guard var kind = kinds[capacity], kind.used > 0 else { preconditionFailure("no block of \(byteCount) bytes") }
    kind.used -= 1
    if keptBytes + capacity <= BufferPool.keptBytes {
      kind.kept += 1
      keptBytes += capacity
    }
    kinds[capacity] = kind
  }
}
