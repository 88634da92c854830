import Compute
import Testing

@Suite("Tiling")
struct TilingTests {
  @Test("Tiles cover the count in order, within the limit", arguments: [1, 4, 16, 64], [1, 63, 64, 100, 307, 512])
  func tiles(multiple: Int, limit: Int) {
    for count in [1, 2, 15, 16, 17, 63, 64, 65, 500, 512, 513, 1000, 10_240] {
      let tiling = Tiling(count: count, limit: limit, multiple: multiple)
      let tiles = (0..<tiling.tiles).map { tiling[$0] }
      #expect(tiles.first?.lowerBound == 0)
      #expect(tiles.last?.upperBound == count)
      #expect(zip(tiles, tiles.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
      #expect(tiles.allSatisfy { !$0.isEmpty && $0.count <= max(limit, multiple) })
      #expect(tiles.dropLast().allSatisfy { $0.count == tiling.size && $0.count % multiple == 0 })
    }
  }

  @Test("Nothing makes no tiles")
  func empty() { #expect(Tiling(count: 0, limit: 64, multiple: 16).tiles == 0) }

  @Test("Tiles are equal rather than full with a small rest")
  func balance() {
    let tiling = Tiling(count: 1100, limit: 512, multiple: 16)
    #expect((0..<tiling.tiles).map { tiling[$0].count } == [368, 368, 364])
  }
}
