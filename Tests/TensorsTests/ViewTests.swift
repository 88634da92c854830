import Compute
import Tensors
import TestSupport
import Testing

@Suite("Views")
struct ViewTests {
  /// The element at an index, found through the layout one by one.
  private func element(_ tensor: Tensor, _ index: [Int]) -> Float {
    let layout = tensor.layout
    let place = layout.offset + zip(index, layout.strides).reduce(0) { $0 + $1.0 * $1.1 }
    return Tensor(storage: tensor.storage, layout: Layout([1], offset: place), dtype: tensor.dtype).floats()[0]
  }

  private func indices(_ shape: Shape) -> [[Int]] {
    shape.extents.reduce([[]]) { prefixes, extent in prefixes.flatMap { prefix in (0..<extent).map { prefix + [$0] } } }
  }

  static let types: [DType] = [.float32, .bfloat16, .float16]

  @Test("Transposing exchanges indices", arguments: types)
  func transposed(dtype: DType) {
    let tensor = Tensor.random([3, 4, 5]).stored(as: dtype)
    for (first, second) in [(0, 1), (1, 2), (0, -1), (-2, -1), (1, 1)] {
      let view = tensor.transposed(first, second)
      var expected: [Float] = []
      for index in indices(view.shape) {
        var original = index
        original.swapAt((first + 3) % 3, (second + 3) % 3)
        expected.append(element(tensor, original))
      }
      #expect(view.floats() == expected)
      #expect(view.transposed(first, second).floats() == tensor.floats())
      #expect(view.storage === tensor.storage)
    }
  }

  @Test("Permuting reorders indices, and the inverse permutation restores them")
  func permuted() {
    let tensor = Tensor.random([2, 3, 4, 5])
    let view = tensor.permuted(2, 0, 3, 1)
    #expect(view.shape == [4, 2, 5, 3])
    let expected = indices(view.shape).map { element(tensor, [$0[1], $0[3], $0[0], $0[2]]) }
    #expect(view.floats() == expected)
    #expect(view.permuted(1, 3, 0, 2).layout == tensor.layout)
  }

  @Test("Slicing keeps a range of one axis; pieces put together are the whole", arguments: [0, 1, 2, -1])
  func sliced(axis: Int) {
    let tensor = Tensor.random([5, 6, 7])
    let extent = tensor.shape[axis]
    let pieces = [0..<2, 2..<3, 3..<extent].map { tensor.sliced(axis, $0) }
    #expect(Tensor.concatenated(pieces, axis: axis).floats() == tensor.floats())
    #expect(tensor.sliced(axis, 1..<extent).sliced(axis, 1..<2).floats() == tensor.sliced(axis, 2..<3).floats())
    #expect(tensor.sliced(axis, 1..<1).floats() == [])
  }

  @Test("An index takes one entry of the first axis and drops the axis", arguments: types)
  func indexed(dtype: DType) {
    let tensor = Tensor.random([3, 4, 5]).stored(as: dtype)
    for index in 0..<3 {
      #expect(tensor[index].shape == [4, 5])
      #expect(tensor[index].floats() == tensor.sliced(0, index..<index + 1).floats())
    }
    #expect(tensor.transposed(0, 2)[4].floats() == tensor.sliced(2, 4..<5).transposed(0, 2).floats())
  }

  @Test("Reshaping keeps row-major order; dense tensors share their storage, views are copied")
  func reshaped() {
    let tensor = Tensor.random([4, 6])
    #expect(tensor.reshaped([2, 2, 6]).storage === tensor.storage)
    #expect(tensor.reshaped([3, 8]).floats() == tensor.floats())
    let view = tensor.transposed(0, 1)
    #expect(view.reshaped([24]).floats() == view.floats())
    #expect(view.reshaped([24]).storage !== tensor.storage)
    #expect(tensor[2].reshaped([2, 3]).floats() == tensor[2].floats())
  }

  @Test("Chains of views read what single steps read", arguments: types)
  func chains(dtype: DType) {
    let tensor = Tensor.random([4, 5, 6]).stored(as: dtype)
    let view = tensor.sliced(1, 1..<4).permuted(2, 0, 1).sliced(0, 2..<5).transposed(1, 2)
    let steps = tensor.sliced(1, 1..<4).gathered().permuted(2, 0, 1).gathered().sliced(0, 2..<5).gathered()
      .transposed(1, 2)
    #expect(view.floats() == steps.floats())
    #expect(view.gathered().dtype == dtype)
    #expect(view.gathered().layout.isDense)
  }

  @Test("Overlapping, repeated and reversed rows are read through their strides")
  func unusualStrides() {
    let tensor = Tensor((0..<10).map { Float($0) })
    func view(_ shape: Shape, _ strides: [Int], _ offset: Int) -> [Float] {
      Tensor(storage: tensor.storage, layout: Layout(shape: shape, strides: strides, offset: offset), dtype: .float32)
        .floats()
    }
    #expect(view([3, 3], [-1, 1], 2) == [2, 3, 4, 1, 2, 3, 0, 1, 2])
    #expect(view([2, 3], [0, 1], 4) == [4, 5, 6, 4, 5, 6])
    #expect(view([4], [-2], 9) == [9, 7, 5, 3])
    #expect(view([2, 2], [0, 0], 5) == [5, 5, 5, 5])
  }

  @Test("Views of many rows are gathered in blocks", arguments: [1, 3, 70_000])
  func manyRows(inner: Int) {
    let rows = 140_000 / inner
    let tensor = Tensor.random([inner, rows])
    let source = tensor.floats()
    let found = tensor.transposed(0, 1).floats()
    let isRight = (0..<rows).allSatisfy { row in
      (0..<inner).allSatisfy { found[row * inner + $0] == source[$0 * rows + row] }
    }
    #expect(isRight)
  }

  @Test("Joining places each part behind the last, as float32", arguments: [0, 1, 2, -1])
  func concatenated(axis: Int) {
    func part(_ extent: Int, _ seed: UInt64) -> Tensor {
      var extents = [3, 4, 5]
      extents[axis < 0 ? axis + 3 : axis] = extent
      return .random(Shape(extents), seed: seed)
    }
    let parts = [part(1, 1), part(3, 2).stored(as: .bfloat16), part(2, 3).transposed(0, 1).gathered().transposed(0, 1)]
    let joined = Tensor.concatenated(parts, axis: axis)
    #expect(joined.dtype == .float32)
    #expect(joined.shape[axis] == 6)
    var first = 0
    for part in parts {
      let range = first..<first + part.shape[axis]
      #expect(joined.sliced(axis, range).floats() == part.floats())
      first = range.upperBound
    }
    #expect(Tensor.concatenated([parts[1]], axis: axis).dtype == .float32)
    #expect(Tensor.concatenated([parts[1]], axis: axis).floats() == parts[1].floats())
  }

  @Test("Mapping by blocks of rows gives what mapping at once gives", arguments: [1, 2, 5, 6, 7, 100])
  func mappedRows(block: Int) {
    let tensor = Tensor.random([2, 3, 4])
    func map(_ rows: Tensor) -> Tensor {
      #expect(rows.shape[0] <= block)
      return .concatenated([rows.scaled(by: 2), rows.sliced(1, 0..<1)], axis: 1)
    }
    let found = tensor.mappingRows(of: block, map)
    #expect(found.shape == [2, 3, 5])
    #expect(found.floats() == Tensor.concatenated([tensor.scaled(by: 2), tensor.sliced(2, 0..<1)], axis: 2).floats())
  }
}
