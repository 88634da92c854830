import Compute
import Foundation
import TestSupport
import Testing

@Suite("Random generator")
struct RandomGeneratorTests {
  struct KnownAnswer: Sendable, CustomTestStringConvertible {
    let counter: [UInt32]
    let key: [UInt32]
    let words: SIMD4<UInt32>
    var testDescription: String { "\(words)" }
  }

  @Test(
    "Blocks are those of Philox4x32-10 (vectors published with Random123)",
    arguments: [
      KnownAnswer(
        counter: [0, 0, 0, 0], key: [0, 0], words: SIMD4(0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8)),
      KnownAnswer(
        counter: [.max, .max, .max, .max], key: [.max, .max],
        words: SIMD4(0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD)),
      KnownAnswer(
        counter: [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344], key: [0xA409_3822, 0x299F_31D0],
        words: SIMD4(0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1)),
    ])
  func knownAnswers(_ answer: KnownAnswer) {
    func joined(_ low: UInt32, _ high: UInt32) -> UInt64 { UInt64(high) << 32 | UInt64(low) }
    #expect(
      RandomGenerator.block(
        joined(answer.counter[0], answer.counter[1]), stream: joined(answer.counter[2], answer.counter[3]),
        seed: joined(answer.key[0], answer.key[1])) == answer.words)
  }

  private func draw(_ count: Int, from generator: inout RandomGenerator) -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      generator.drawNormals(into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      initialized = count
    }
  }

  @Test("Normal values follow from the blocks by Box and Muller's transform")
  func transform() {
    var generator = RandomGenerator(seed: 42, nextStream: 5)
    let values = draw(10, from: &generator)
    for (index, value) in values.enumerated() {
      let words = RandomGenerator.block(UInt64(index / 4), stream: 5, seed: 42)
      let pair = index % 4 / 2 * 2
      let radius = (-2 * log((Double(words[pair]) + 1) / 0x1p32)).squareRoot()
      let angle = 2 * Double.pi * Double(words[pair + 1]) / 0x1p32
      #expect(value == Float(radius * (index % 2 == 0 ? cos(angle) : sin(angle))))
    }
  }

  @Test("Moments of a million values are the normal distribution's")
  func moments() {
    var generator = RandomGenerator(seed: 2024)
    let values = draw(1_000_000, from: &generator).map(Double.init)
    func moment(_ power: Double) -> Double { values.reduce(0) { $0 + pow($1, power) } / Double(values.count) }
    // Five standard errors: sqrt((E[x^2k] - E[x^k]^2) / n).
    #expect(abs(moment(1)) < 0.005)
    #expect(abs(moment(2) - 1) < 0.0071)
    #expect(abs(moment(3)) < 0.0194)
    #expect(abs(moment(4) - 3) < 0.049)
    let beyondThree = Double(values.count { abs($0) > 3 }) / 1e6
    #expect(abs(beyondThree - 0.0027) < 0.00026)
    // Neighbours (the two of a pair included) are uncorrelated.
    let correlation = zip(values, values.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 } / 1e6
    #expect(abs(correlation) < 0.005)
  }

  @Test("A value depends on its place, not on how many are drawn or by how many threads", arguments: [1, 2, 3])
  func places(threads: Int) {
    var generator = RandomGenerator(seed: 9)
    let long = draw(100_003, from: &generator)
    for count in [1, 2, 3, 5, 4096, 16_385] {
      var other = RandomGenerator(seed: 9)
      #expect(withThreads(threads) { draw(count, from: &other) } == Array(long.prefix(count)))
    }
  }

  @Test("Each draw takes a stream of its own, and the state is seed and stream")
  func streams() {
    var generator = RandomGenerator(seed: 1)
    let (first, second) = (draw(8, from: &generator), draw(8, from: &generator))
    #expect(first != second)
    #expect(generator == RandomGenerator(seed: 1, nextStream: 2))
    var resumed = RandomGenerator(seed: 1, nextStream: 1)
    #expect(draw(8, from: &resumed) == second)
    var other = RandomGenerator(seed: 2)
    #expect(draw(8, from: &other) != first)
    var last = RandomGenerator(seed: .max, nextStream: .max)
    _ = last.drawUniform()
    #expect(last.nextStream == 0)
  }

  @Test("Uniform values and indices fill their range evenly")
  func uniform() {
    var generator = RandomGenerator(seed: 3)
    let values = (0..<20_000).map { _ in generator.drawUniform() }
    #expect(values.allSatisfy { $0 >= 0 && $0 < 1 })
    #expect(abs(values.reduce(0, +) / 20_000 - 0.5) < 0.0103)  // Five standard errors.
    var counts = [Int](repeating: 0, count: 7)
    for _ in 0..<7000 { counts[generator.drawIndex(below: 7)] += 1 }
    #expect(counts.allSatisfy { abs($0 - 1000) < 150 })
    #expect((0..<100).allSatisfy { _ in generator.drawIndex(below: 1) == 0 })
  }
}
