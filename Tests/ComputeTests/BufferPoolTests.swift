import Runtime
import Testing

@testable import Compute

@Suite("Buffer pool")
struct BufferPoolTests {
  @Test(
    "Blocks are large enough, aligned, and not shared", arguments: [0, 1, 4096, 4097, 100_000, 3 << 20, (5 << 20) + 1])
  func blocks(byteCount: Int) throws {
    let pool = BufferPool()
    let (first, second) = (pool.take(byteCount), pool.take(byteCount))
    defer {
      pool.give(first)
      pool.give(second)
      pool.trim()
    }
    #expect(first.count >= byteCount && first.count <= max(2 * 4096, byteCount + byteCount / 8 + 4096))
    let (start, other) = (try #require(first.baseAddress), try #require(second.baseAddress))
    #expect(UInt(bitPattern: start) % 4096 == 0)
    #expect(start + first.count <= other || other + second.count <= start)
    first.initializeMemory(as: UInt8.self, repeating: 0xFF)
  }

  @Test("Given blocks are taken again, for near sizes too")
  func reuse() {
    let pool = BufferPool()
    let first = pool.take(1_000_000)
    pool.give(first)
    let second = pool.take(999_000)
    #expect(second.baseAddress == first.baseAddress)
    pool.give(second)
    pool.trim()
  }

  @Test("R05: a block that the system refuses ends the process with one line and status 4")
  func refused() async throws {
    let result = await #expect(processExitsWith: .exitCode(4), observing: [\.standardErrorContent]) {
      MemoryExhaustion.advising("something is kept") { _ = BufferPool().take(1 << 60) }
    }
    let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    let lines = text.split(separator: "\n").filter { $0.hasPrefix("error:") }
    #expect(lines.count == 1 && lines.allSatisfy { $0.hasSuffix("; something is kept") }, "\(text)")
  }

  @Test("Statistics count live bytes and the peak of live and kept ones")
  func statistics() {
    let pool = BufferPool()
    let blocks = (0..<3).map { _ in pool.take(8192) }
    #expect(pool.statistics.used == 3 * 8192)
    blocks.forEach(pool.give)
    #expect(pool.statistics.used == 0)
    #expect(pool.statistics.peak == 3 * 8192)
    let other = pool.take(16_384)
    #expect(pool.statistics.peak == 3 * 8192 + 16_384)
    pool.trim()
    pool.give(other)
    let block = pool.take(8192)
    #expect(pool.statistics.peak == 3 * 8192 + 16_384)
    pool.give(block)
    pool.trim()
  }

  @Test("Storage and scratch give their blocks back")
  func owners() {
    // Other tests use the shared pool at the same time, so only blocks of a size that nothing else asks for tell.
    let size = 300 << 20 | 4096
    var addresses: [UnsafeMutableRawPointer?] = []
    do {
      let storage = Storage(byteCount: size)
      addresses.append(storage.bytes.baseAddress)
      #expect(storage.bytes.count == size && !storage.isMapped)
    }
    withScratch(size / 4) { addresses.append(UnsafeMutableRawPointer($0)) }
    #expect(addresses[0] == addresses[1])
  }
}
