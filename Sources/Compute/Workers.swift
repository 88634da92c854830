import Dispatch
import Foundation
import Synchronization

/// Spreads tiles of work over threads.
///
/// Callers cut work into tiles of fixed size, whatever the number of threads, and a tile never looks at another tile's
/// result: so results do not depend on how many threads there are or which of them takes a tile.
package enum Workers {
  private static let count = Atomic<Int>(min(ProcessInfo.processInfo.activeProcessorCount, BLAS.threadLimit))

  /// Number of threads that share the work; fewer than asked for where the address space is too small for their buffers.
  /// A resource setting, not an option of any computation: it changes no result.
  package static var threadCount: Int {
    get { count.load(ordering: .relaxed) }
    set { count.store(min(max(1, newValue), BLAS.threadLimit), ordering: .relaxed) }
  }

  /// Runs `body` once for each tile index in `0..<tiles`, in no particular order, and returns when all are done.
  package static func forEach(_ tiles: Int, _ body: (Int) -> Void) {
    let threads = min(threadCount, tiles)
    guard threads > 1, !isWithinTask else {
      for tile in 0..<tiles { body(tile) }
      return
    }
    let next = Counter()
    // Sound: `concurrentPerform` returns only after every iteration has, and tiles do not share what they write.
    nonisolated(unsafe) let body = body
    let isRounded = RoundedProduct.isEnabled
    DispatchQueue.concurrentPerform(iterations: threads) { _ in
      func takeTiles() {
        while true {
          let tile = next.take()
          guard tile < tiles else { return }
          body(tile)
        }
      }
      // Other threads know nothing of this task's values.
      if isRounded { RoundedProduct.$isEnabled.withValue(true) { takeTiles() } } else { takeTiles() }
    }
  }

  /// Whether the calling thread runs one of `forEachTask`'s tasks.
  @TaskLocal private static var isWithinTask = false

  /// As `forEach`, for tiles that are whole computations: each stays on its thread, and what it would spread over threads
  /// itself runs there one after the other.
  package static func forEachTask(_ tasks: Int, _ body: (Int) -> Void) {
    forEach(tasks) { task in $isWithinTask.withValue(true) { body(task) } }
  }

  /// Cuts `count` rows into blocks of `size` and runs `body` on each block's range of rows.
  package static func forEachBlock(of size: Int, in count: Int, _ body: (Range<Int>) -> Void) {
    forEach((count + size - 1) / size) { block in body(block * size..<min(count, (block + 1) * size)) }
  }

  private final class Counter: Sendable {
    private let value = Atomic<Int>(0)
    func take() -> Int { value.wrappingAdd(1, ordering: .relaxed).oldValue }
  }
}
