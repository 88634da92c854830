import Compute
import Testing

@testable import Media

@Suite("Frame selection") struct FrameSelectionTests {
  @Test(
    "evenly spread indices are those of the published pipelines",
    arguments: [
      (81, [0, 1, 3, 5, 6, 8, 10, 11, 13, 15, 16, 18, 20, 21, 23, 25, 26, 28, 30, 31]),
      (100, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 33, 35, 37, 39]),
      (120, [0, 2, 4, 7, 9, 12, 14, 17, 19, 22, 24, 27, 29, 32, 34, 37, 39, 42, 44, 47]),
      (121, [0, 2, 5, 7, 10, 12]),
      (125, [0, 2, 5, 7, 10, 12, 15, 18, 20, 23]),
      (241, [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]),
    ])
  func published(available: Int, beginning: [Int]) {
    let indices = FrameSelection.evenIndices(selecting: 49, of: available)
    #expect(indices.count == 49)
    #expect(Array(indices.prefix(beginning.count)) == beginning)
    #expect(indices.last == available - 1)
  }

  @Test("the second half is counted down from the end") func symmetry() {
    #expect(
      FrameSelection.evenIndices(selecting: 49, of: 120).suffix(10) == [96, 99, 101, 104, 106, 109, 111, 114, 116, 119])
    #expect(
      FrameSelection.evenIndices(selecting: 49, of: 100).suffix(10) == [80, 82, 84, 86, 88, 90, 92, 94, 96, 99])
    #expect(FrameSelection.evenIndices(selecting: 9, of: 14) == [0, 1, 3, 4, 6, 8, 9, 11, 13])
    #expect(FrameSelection.evenIndices(selecting: 49, of: 49) == Array(0..<49))
    #expect(FrameSelection.evenIndices(selecting: 1, of: 30) == [0])
  }

  @Test("V16: a reference shorter than the frame count repeats frames evenly and is refused by the other selections")
  func shortClip() throws {
    var generator = RandomGenerator(seed: 1)
    #expect(FrameSelection.evenIndices(selecting: 9, of: 7) == [0, 0, 1, 2, 3, 3, 4, 5, 6])
    #expect(
      FrameSelection.evenIndices(selecting: 49, of: 30).prefix(20)
        == [0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 6, 6, 7, 7, 8, 9, 9, 10, 10, 11])
    #expect(try FrameSelection.evenly.indices(selecting: 4, of: 1, using: &generator) == [0, 0, 0, 0])
    for selection in [FrameSelection.first, .random] {
      let failure = #expect(throws: MediaFailure.self) {
        try selection.indices(selecting: 9, of: 7, using: &generator)
      }
      #expect(failure == .tooFewFrames(available: 7, wanted: 9, selection: selection))
      #expect(failure?.message.contains("'evenly'") == true)
    }
    #expect(throws: MediaFailure.self) { try FrameSelection.evenly.indices(selecting: 4, of: 0, using: &generator) }
  }

  @Test("the first frames and a random window are contiguous") func windows() throws {
    var generator = RandomGenerator(seed: 5)
    #expect(try FrameSelection.first.indices(selecting: 3, of: 10, using: &generator) == [0, 1, 2])
    #expect(generator == RandomGenerator(seed: 5))
    var starts: Set<Int> = []
    for _ in 0..<200 {
      let indices = try FrameSelection.random.indices(selecting: 3, of: 5, using: &generator)
      #expect(indices == Array(indices[0]..<indices[0] + 3))
      starts.insert(indices[0])
    }
    #expect(starts == [0, 1, 2])
    #expect(try FrameSelection.random.indices(selecting: 5, of: 5, using: &generator) == [0, 1, 2, 3, 4])
  }

  @Test("higher rates are thinned for training and lower ones kept") func resampling() throws {
    let thirty = try #require(FrameRate(30))
    // int(10 * 16 / 30) = 5 values of linspace(0, 9, 5) = 0 2.25 4.5 6.75 9, halves to even.
    #expect(FrameSelection.resampledIndices(of: 10, from: thirty) == [0, 2, 4, 7, 9])
    // 29.97 counts as 29: int(10 * 16 / 29) = 5.
    #expect(FrameSelection.resampledIndices(of: 10, from: try #require(FrameRate(30000, 1001))) == [0, 2, 4, 7, 9])
    #expect(FrameSelection.resampledIndices(of: 7, from: try #require(FrameRate(8))) == Array(0..<7))
    #expect(FrameSelection.resampledIndices(of: 7, from: .training) == Array(0..<7))
    #expect(FrameSelection.resampledIndices(of: 1, from: thirty) == [0])
    #expect(FrameSelection.resampledIndices(of: 3, from: try #require(FrameRate(48))) == [0])
    #expect(FrameSelection.resampledIndices(of: 2, from: try #require(FrameRate(48))) == [1])
    #expect(FrameSelection.resampledIndices(of: 129, from: try #require(FrameRate(32))).count == 64)
  }
}

@Suite("Frame rate") struct FrameRateTests {
  @Test(
    "impossible fractions are no rates",
    arguments: [(0, 0), (0, 1), (1, 0), (-16, 1), (16, -1), (1_000_000, 1), (1, 5000)])
  func absurd(numerator: Int, denominator: Int) { #expect(FrameRate(numerator, denominator) == nil) }

  @Test("decimal numbers become the fraction they stand for") func decimals() {
    #expect(FrameRate(16.0) == FrameRate(16))
    #expect(FrameRate(29.97) == FrameRate(30000, 1001))
    #expect(FrameRate(23.976) == FrameRate(24000, 1001))
    #expect(FrameRate(12.5) == FrameRate(12500, 1000))
    #expect(FrameRate(Double.nan) == nil)
    #expect(FrameRate(1e9) == nil)
    #expect(FrameRate(30000, 1001)?.description == "30000/1001")
  }
}
