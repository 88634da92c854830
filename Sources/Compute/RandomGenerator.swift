import Foundation

/// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
///
/// The key is the 64-bit seed, the counter is (block index, stream), both 64 bits, little end first. Each block of four
/// 32-bit words is independent of all others, so any element can be drawn without its predecessors and the same seed
/// gives the same numbers for any number of threads. Each call of a `draw` method takes a new stream.
package struct RandomGenerator: Sendable, Equatable {
  package let seed: UInt64
  /// The stream that the next draw takes; together with `seed` this is the whole state.
  package private(set) var nextStream: UInt64

  package init(seed: UInt64, nextStream: UInt64 = 0) {
    self.seed = seed
    self.nextStream = nextStream
  }

  /// A generator for what has this name: its numbers depend on seed and name alone, not on the order of use.
  package init(seed: UInt64, name: String) {
    // FNV-1a: a stable hash, so that the stream of a name is the same in every run.
    let stream = name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    self.init(seed: seed, nextStream: stream)
  }

  /// Fills `output` with standard normal values by the Box-Muller transform, in float64 before rounding.
  ///
  /// Words 0, 1 of a block give elements 4b and 4b+1, words 2, 3 give 4b+2 and 4b+3:
  /// r = sqrt(-2 ln((w0 + 1) / 2^32)), a = 2 pi w1 / 2^32, values r cos a and r sin a.
  package mutating func drawNormals(into output: UnsafeMutableBufferPointer<Float>) {
    let (seed, stream) = (seed, takeStream())
    // Sound to share: each block of rows writes its own range.
    nonisolated(unsafe) let output = output
    Workers.forEachBlock(of: 16_384, in: output.count) { range in
      for block in range.lowerBound / 4..<(range.upperBound + 3) / 4 {
        let words = Self.block(UInt64(block), stream: stream, seed: seed)
        for pair in 0..<2 {
          let radius = (-2 * log((Double(words[2 * pair]) + 1) / 4_294_967_296)).squareRoot()
          let angle = 2 * Double.pi * Double(words[2 * pair + 1]) / 4_294_967_296
          let index = 4 * block + 2 * pair
          if index < output.count { output[index] = Float(radius * cos(angle)) }
          if index + 1 < output.count { output[index + 1] = Float(radius * sin(angle)) }
        }
      }
    }
  }

  /// Fills `output` with uniform values in -1..<1 of 24 random bits: element i is word i mod 4 of block i / 4.
  package mutating func drawUniforms(into output: UnsafeMutableBufferPointer<Float>) {
    let (seed, stream) = (seed, takeStream())
    // Sound to share: each block of rows writes its own range.
    nonisolated(unsafe) let output = output
    Workers.forEachBlock(of: 16_384, in: output.count) { range in
      for block in range.lowerBound / 4..<(range.upperBound + 3) / 4 {
        let words = Self.block(UInt64(block), stream: stream, seed: seed)
        for index in 4 * block..<min(4 * block + 4, output.count) {
          output[index] = Float(words[index % 4] >> 8) * 0x1p-23 - 1
        }
      }
    }
  }

  /// A uniform value in 0..<1 with 53 random bits.
  package mutating func drawUniform() -> Double {
    let words = Self.block(0, stream: takeStream(), seed: seed)
    return Double((UInt64(words[0]) << 32 | UInt64(words[1])) >> 11) * 0x1p-53
  }

  /// A uniform integer in `0..<bound`.
  package mutating func drawIndex(below bound: Int) -> Int {
    min(Int(drawUniform() * Double(bound)), bound - 1)
  }

  private mutating func takeStream() -> UInt64 {
    defer { nextStream &+= 1 }
    return nextStream
  }

  /// The four words of one counter value.
  package static func block(_ index: UInt64, stream: UInt64, seed: UInt64) -> SIMD4<UInt32> {
    var counter = SIMD4(
      UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32),
      UInt32(truncatingIfNeeded: stream), UInt32(truncatingIfNeeded: stream >> 32))
    var key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    for _ in 0..<10 {
      let first = UInt64(0xD251_1F53) * UInt64(counter[0])
      let second = UInt64(0xCD9E_8D57) * UInt64(counter[2])
      counter = SIMD4(
        UInt32(truncatingIfNeeded: second >> 32) ^ counter[1] ^ key.0, UInt32(truncatingIfNeeded: second),
        UInt32(truncatingIfNeeded: first >> 32) ^ counter[3] ^ key.1, UInt32(truncatingIfNeeded: first))
      key = (key.0 &+ 0x9E37_79B9, key.1 &+ 0xBB67_AE85)
    }
    return counter
  }
}
