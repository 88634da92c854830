/// Temporary float32 memory from the buffer pool, valid inside `body` only.
package func withScratch<Result>(
  _ count: Int, _ body: (UnsafeMutablePointer<Float>) throws -> Result
) rethrows -> Result {
  let block = BufferPool.shared.take(count * 4)
  defer { BufferPool.shared.give(block) }
  // A pool block always has an address.
  return try body(block.baseAddress!.assumingMemoryBound(to: Float.self))
}
