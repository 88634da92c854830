import Testing

@testable import Compute

@Suite("Buffer forecast")
struct BufferForecastTests {
  private let size = 1 << 20

  @Test("a block that is given back serves the next of its capacity")
  func reuse() {
    var forecast = BufferForecast()
    forecast.take(size)
    forecast.give(size)
    forecast.take(size)
    #expect(forecast.peakBytes == size)
    forecast.take(size)
    #expect(forecast.peakBytes == 2 * size)
  }

  @Test("kept blocks of other capacities stay in memory beside what is used")
  func kept() {
    var forecast = BufferForecast()
    for count in 1...3 {
      forecast.take(count * size)
      forecast.give(count * size)
    }
    #expect(forecast.peakBytes == 6 * size)
    forecast.take(3 * size)
    #expect(forecast.peakBytes == 6 * size)
  }

  @Test("what is asked for counts, not the capacity; blocks of one capacity count with the largest")
  func touched() {
    var forecast = BufferForecast()
    let smaller = size - 4096
    #expect(BufferPool.capacity(for: smaller) == BufferPool.capacity(for: size))
    forecast.take(smaller)
    #expect(forecast.peakBytes == smaller)
    forecast.give(smaller)
    forecast.take(size)
    #expect(forecast.peakBytes == size)
  }

  @Test("beyond a gigabyte nothing is kept")
  func limit() {
    var forecast = BufferForecast()
    let large = BufferPool.keptBytes / 2 + 4096
    for _ in 0..<3 { forecast.take(large) }
    for _ in 0..<3 { forecast.give(large) }
    forecast.take(1)
    #expect(forecast.peakBytes == 3 * large)
    forecast.take(2 * large)
    // One block is kept.
    #expect(forecast.peakBytes == 3 * large + 1)
  }
}
