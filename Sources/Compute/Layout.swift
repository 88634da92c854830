/// The extents of a tensor, outermost first.
package struct Shape: Sendable, Hashable, ExpressibleByArrayLiteral, CustomStringConvertible {
  package let extents: [Int]

  package init(_ extents: [Int]) { self.extents = extents }
  package init(arrayLiteral elements: Int...) { extents = elements }

  package var rank: Int { extents.count }
  /// Number of elements; 1 for rank 0.
  package var count: Int { extents.reduce(1, *) }
  /// Extent of an axis; negative axes count from the end.
  package subscript(axis: Int) -> Int { extents[axis < 0 ? axis + extents.count : axis] }

  /// Strides, in elements, of a dense row-major tensor of this shape.
  package var denseStrides: [Int] {
    var strides = extents
    var step = 1
    for axis in extents.indices.reversed() {
      strides[axis] = step
      step *= extents[axis]
    }
    return strides
  }

  package var description: String { "[" + extents.map(String.init).joined(separator: ", ") + "]" }
}

/// Where the elements of a view lie in its storage; strides and offset count elements.
package struct Layout: Sendable, Equatable {
  package let shape: Shape
  package let strides: [Int]
  package let offset: Int

  package init(shape: Shape, strides: [Int], offset: Int) {
    self.shape = shape
    self.strides = strides
    self.offset = offset
  }

  /// Dense row-major layout.
  package init(_ shape: Shape, offset: Int = 0) {
    self.init(shape: shape, strides: shape.denseStrides, offset: offset)
  }

  /// Whether the elements lie densely in row-major order.
  package var isDense: Bool {
    var step = 1
    for axis in strides.indices.reversed() where shape.extents[axis] != 1 {
      if strides[axis] != step { return false }
      step *= shape.extents[axis]
    }
    return true
  }

  package func transposed(_ first: Int, _ second: Int) -> Layout {
    var extents = shape.extents
    var strides = self.strides
    let first = first < 0 ? first + extents.count : first
    let second = second < 0 ? second + extents.count : second
    extents.swapAt(first, second)
    strides.swapAt(first, second)
    return Layout(shape: Shape(extents), strides: strides, offset: offset)
  }

  package func permuted(_ axes: [Int]) -> Layout {
    precondition(axes.sorted() == Array(shape.extents.indices), "permutation \(axes) does not fit shape \(shape)")
    return Layout(
      shape: Shape(axes.map { shape.extents[$0] }), strides: axes.map { strides[$0] }, offset: offset)
  }

  package func sliced(axis: Int, _ range: Range<Int>) -> Layout {
    let axis = axis < 0 ? axis + shape.rank : axis
    precondition(
      range.lowerBound >= 0 && range.upperBound <= shape.extents[axis],
      "slice \(range) of axis \(axis) does not fit shape \(shape)")
    var extents = shape.extents
    extents[axis] = range.count
    return Layout(shape: Shape(extents), strides: strides, offset: offset + range.lowerBound * strides[axis])
  }
}
