import Compute
import Tensors
import Testing

@testable import VideoTransformers

@Suite("Rotary positions")
struct RotaryPositionsTests {
  private let published = RotaryGrid(headSize: 64, baseRows: 30, baseColumns: 45, frames: 13, rows: 30, columns: 45)
  private let small = RotaryGrid(headSize: 16, baseRows: 3, baseColumns: 4, frames: 2, rows: 3, columns: 4)

  @Test("the reference of the published geometry begins at time -13 and ends at -1")
  func publishedReference() {
    let table = published.referenceTable(count: 1, .temporalBias)
    #expect(table.cosines.shape == [17_550, 64])
    let (first, last) = (table.cosines[0].floats()[0], table.cosines[17_549].floats()[0])
    #expect(abs(first - 0.907_446_8) < 1e-6)
    #expect(abs(table.sines[0].floats()[0] + 0.420_167_0) < 1e-6)
    #expect(abs(last - 0.540_302_3) < 1e-6)
  }

  @Test("each design moves only the axes it names")
  func designs() {
    let target = small.targetTable().cosines.floats()
    #expect(small.referenceTable(count: 1, .identical).cosines.floats() == target)
    let tokens = small.frames * small.rows * small.columns
    func angles(_ design: PositionDesign, _ columns: Range<Int>) -> [Float] {
      let table = small.referenceTable(count: 1, design).sines.floats()
      return (0..<tokens).flatMap { row in columns.map { table[row * 16 + $0] } }
    }
    func targetAngles(_ columns: Range<Int>) -> [Float] {
      let table = small.targetTable().sines.floats()
      return (0..<tokens).flatMap { row in columns.map { table[row * 16 + $0] } }
    }
    // Of 16: 4 for time, 6 for rows, 6 for columns.
    #expect(angles(.temporalBias, 4..<16) == targetAngles(4..<16))
    #expect(angles(.temporalBias, 0..<4) != targetAngles(0..<4))
    #expect(angles(.temporalAndWidthShift, 4..<10) == targetAngles(4..<10))
    #expect(angles(.temporalAndWidthShift, 10..<16) != targetAngles(10..<16))
    #expect(angles(.temporalAndWidthShift, 0..<4) == angles(.temporalBias, 0..<4))
    #expect(angles(.discrete, 0..<4) != angles(.temporalBias, 0..<4))
  }

  @Test("the last of several references is the one next to the target", arguments: 1...3)
  func severalReferences(count: Int) {
    let several = small.referenceTable(count: count, .temporalBias).sines
    let tokens = small.frames * small.rows * small.columns
    #expect(several.shape == [count * tokens, 16])
    let last = several.sliced(0, (count - 1) * tokens..<count * tokens)
    #expect(last.floats() == small.referenceTable(count: 1, .temporalBias).sines.floats())
  }

  @Test("the crop of a tall clip keeps the base height, of a wide one the base width")
  func crops() {
    let square = RotaryGrid(headSize: 16, baseRows: 30, baseColumns: 45, frames: 1, rows: 20, columns: 20).cropRegion()
    #expect((square.height, square.width, square.top, square.left) == (30, 30, 0, 8))
    let wide = RotaryGrid(headSize: 16, baseRows: 30, baseColumns: 45, frames: 1, rows: 10, columns: 40).cropRegion()
    #expect((wide.height, wide.width, wide.top, wide.left) == (11, 45, 10, 0))
  }
}
