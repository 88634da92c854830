import Compute
import Testing

@Suite("Layout")
struct LayoutTests {
  @Test("Shapes count elements, axes from either end")
  func shapes() {
    let shape: Shape = [2, 3, 4]
    #expect(shape.rank == 3 && shape.count == 24)
    #expect(shape[0] == 2 && shape[-1] == 4 && shape[-3] == 2)
    #expect(shape.denseStrides == [12, 4, 1])
    #expect(shape.description == "[2, 3, 4]")
    #expect(([] as Shape).count == 1 && ([] as Shape).rank == 0)
    #expect(([3, 0] as Shape).count == 0)
  }

  @Test("Transposing, permuting and slicing move strides and offsets only")
  func views() {
    let layout = Layout([2, 3, 4], offset: 5)
    #expect(layout.transposed(0, -1) == Layout(shape: [4, 3, 2], strides: [1, 4, 12], offset: 5))
    #expect(layout.permuted([2, 0, 1]) == Layout(shape: [4, 2, 3], strides: [1, 12, 4], offset: 5))
    #expect(layout.sliced(axis: 1, 1..<3) == Layout(shape: [2, 2, 4], strides: [12, 4, 1], offset: 9))
    #expect(layout.sliced(axis: -1, 2..<2) == Layout(shape: [2, 3, 0], strides: [12, 4, 1], offset: 7))
  }

  @Test("Density looks at axes with more than one element only")
  func density() {
    #expect(Layout([2, 3, 4]).isDense)
    #expect(Layout([2, 3, 4]).sliced(axis: 0, 1..<2).isDense)
    #expect(!Layout([2, 3, 4]).sliced(axis: 1, 0..<2).isDense)
    #expect(Layout([1, 3, 4]).sliced(axis: 1, 0..<2).isDense)
    #expect(!Layout([2, 3, 4]).transposed(0, 1).isDense)
    #expect(Layout([2, 1, 4]).transposed(0, 1).isDense)
    #expect(!Layout(shape: [3], strides: [0], offset: 0).isDense)
    #expect(Layout([]).isDense)
  }

  @Test("Sizes of element types", arguments: DType.allCases)
  func elementTypes(dtype: DType) {
    let sizes: [DType: Int] = [
      .float64: 8, .float32: 4, .float16: 2, .bfloat16: 2, .int64: 8, .int32: 4, .int16: 2, .int8: 1, .uint8: 1,
      .bool: 1,
    ]
    #expect(dtype.byteCount == sizes[dtype])
    #expect(dtype.isWeight == [.float32, .float16, .bfloat16].contains(dtype))
  }
}
