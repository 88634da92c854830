import Compute
import Synchronization
import TestSupport
import Testing

@Suite("Workers")
struct WorkersTests {
  @Test("Each tile runs exactly once", arguments: [1, 2, 5], [0, 1, 2, 3, 100])
  func tiles(threads: Int, tiles: Int) {
    let counts = (0..<tiles).map { _ in Counter() }
    withThreads(threads) { Workers.forEach(tiles) { counts[$0].increment() } }
    #expect(counts.allSatisfy { $0.value == 1 })
  }

  @Test("Blocks cover the rows, the last one being shorter")
  func blocks() {
    let ranges = Mutex<[Range<Int>]>([])
    Workers.forEachBlock(of: 7, in: 23) { range in ranges.withLock { $0.append(range) } }
    #expect(ranges.withLock { $0 }.sorted { $0.lowerBound < $1.lowerBound } == [0..<7, 7..<14, 14..<21, 21..<23])
    Workers.forEachBlock(of: 7, in: 0) { _ in Issue.record("there are no rows") }
  }

  @Test("Work inside of work completes")
  func nesting() {
    let count = Counter()
    withThreads(2) { Workers.forEach(4) { _ in Workers.forEach(8) { _ in count.increment() } } }
    #expect(count.value == 32)
  }

  @Test("There is at least one thread")
  func threadCount() {
    withThreads(0) { #expect(Workers.threadCount == 1) }
    withThreads(3) { #expect(Workers.threadCount == 3) }
  }

  private final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    func increment() { count.wrappingAdd(1, ordering: .relaxed) }
    var value: Int { count.load(ordering: .relaxed) }
  }
}
