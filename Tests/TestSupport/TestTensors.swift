import Compute
import Synchronization
import Tensors

extension Tensor {
  /// Standard normal values that depend on the shape and `seed` only.
  package static func random(_ shape: Shape, seed: UInt64 = 0) -> Tensor {
    var generator = RandomGenerator(seed: seed)
    return .normal(shape, from: &generator)
  }

  /// Values rounded to float32.
  package init(rounding values: [Double], shape: Shape) { self.init(values.map(Float.init), shape: shape) }
}

private let threadCountOwner = Mutex(())

/// Runs `body` with a number of worker threads; one caller at a time, because the number is the process's.
package func withThreads<Result>(_ count: Int, _ body: () throws -> Result) rethrows -> Result {
  try threadCountOwner.withLock { _ in
    let before = Workers.threadCount
    defer { Workers.threadCount = before }
    Workers.threadCount = count
    return try body()
  }
}
