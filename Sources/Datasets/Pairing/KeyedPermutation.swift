import Compute

/// A random order of the numbers `0..<count`, any place of which is computed by itself: nothing is shuffled or kept.
///
/// A Feistel network of six rounds over the next even power of two, walked until it lands below `count` (Black and
/// Rogaway, "Ciphers with arbitrary finite domains", 2002); Philox is the round function.
struct KeyedPermutation: Sendable {
  let count: Int
  private let seed: UInt64
  private let stream: UInt64
  private let halfBits: UInt64

  /// Orders of different streams have nothing to do with each other.
  init(count: Int, seed: UInt64, stream: UInt64) {
    precondition(count > 0, "a permutation of nothing")
    self.count = count
    self.seed = seed
    self.stream = stream
    let bits = UInt64(max(1, Int.bitWidth - (count - 1).leadingZeroBitCount))
    halfBits = (bits + 1) / 2
  }

  /// The number at a place in `0..<count`.
  subscript(place: Int) -> Int {
    precondition((0..<count).contains(place), "place \(place) of \(count)")
    var value = UInt64(place)
    // At most three of four numbers lie above `count`, so this ends soon.
    repeat { value = mixed(value) } while value >= UInt64(count)
    return Int(value)
  }

  private func mixed(_ value: UInt64) -> UInt64 {
    let mask = (UInt64(1) << halfBits) - 1
    var (left, right) = (value >> halfBits, value & mask)
    for round in 0..<6 as Range<UInt64> {
      let words = RandomGenerator.block(right << 3 | round, stream: stream, seed: seed)
      (left, right) = (right, left ^ (UInt64(words[0]) & mask))
    }
    return left << halfBits | right
  }
}
