import Compute

// Views share storage; only `dense()`, `gathered()` and the joining operations copy.
extension Tensor {
  /// The same elements under another shape of equal count; copies only if the view is not dense.
  package func reshaped(_ shape: Shape) -> Tensor {
    precondition(shape.count == count, "cannot reshape \(self.shape) to \(shape)")
    let view = layout.isDense ? self : gathered()
    let (node, old) = (node, self.shape)
    return Tensor(storage: view.storage, layout: Layout(shape, offset: view.layout.offset), dtype: dtype)
      .recorded(from: [self]) { gradient, store in store.add(gradient.reshaped(old), to: node) }
  }

  /// Exchanges two axes; negative axes count from the end.
  package func transposed(_ first: Int, _ second: Int) -> Tensor {
    let node = node
    return Tensor(storage: storage, layout: layout.transposed(first, second), dtype: dtype)
      .recorded(from: [self]) { gradient, store in store.add(gradient.transposed(first, second), to: node) }
  }

  /// Reorders the axes: axis i of the result is axis `axes[i]` of this tensor.
  package func permuted(_ axes: Int...) -> Tensor { permuted(axes) }

  private func permuted(_ axes: [Int]) -> Tensor {
    let node = node
    return Tensor(storage: storage, layout: layout.permuted(axes), dtype: dtype)
      .recorded(from: [self]) { gradient, store in
        let inverse = axes.indices.map { axis in axes.firstIndex(of: axis) ?? axis }
        store.add(gradient.permuted(inverse), to: node)
      }
  }

  /// The part of `axis` inside `range`.
  package func sliced(_ axis: Int, _ range: Range<Int>) -> Tensor {
    let (node, shape, axis) = (node, shape, axis < 0 ? axis + rank : axis)
    return Tensor(storage: storage, layout: layout.sliced(axis: axis, range), dtype: dtype)
      .recorded(from: [self]) { gradient, store in
        store.add(gradient, to: node, of: shape, axis: axis, range)
      }
  }

  /// The tensor at one index of the first axis, with that axis removed.
  package subscript(index: Int) -> Tensor {
    let slice = layout.sliced(axis: 0, index..<index + 1)
    let (node, shape) = (node, shape)
    return Tensor(
      storage: storage,
      layout: Layout(
        shape: Shape(Array(shape.extents.dropFirst())), strides: Array(slice.strides.dropFirst()),
        offset: slice.offset),
      dtype: dtype
    ).recorded(from: [self]) { gradient, store in
      let part = gradient.reshaped(Shape([1] + shape.extents.dropFirst()))
      store.add(part, to: node, of: shape, axis: 0, index..<index + 1)
    }
  }

  /// This tensor as dense float32: itself if it is that already.
  package func dense() -> Tensor {
    if dtype == .float32, layout.isDense { return self }
    let node = node
    let source = layout.isDense ? self : gathered()
    let copy = dtype == .float32 ? source : Tensor(shape) { output in source.convert(into: output) }
    return copy.recorded(from: [self]) { gradient, store in store.add(gradient, to: node) }
  }

  /// A dense copy of a strided view, of the same stored type.
  package func gathered() -> Tensor {
    let result = Storage(byteCount: max(count, 1) * dtype.byteCount)
    let rank = shape.rank
    guard count > 0 else { return Tensor(storage: result, layout: Layout(shape), dtype: dtype) }
    // The innermost axis is copied as a row; the outer axes are enumerated by their flat index.
    let inner = rank > 0 ? shape.extents[rank - 1] : 1
    let innerStride = rank > 0 ? layout.strides[rank - 1] : 1
    let outer = count / inner
    let outerExtents = Array(shape.extents.dropLast())
    let outerStrides = Array(layout.strides.dropLast())
    let size = dtype.byteCount
    nonisolated(unsafe) let source = UnsafeRawPointer(storage.bytes.baseAddress!)
    nonisolated(unsafe) let target = result.bytes.baseAddress!
    Workers.forEachBlock(of: max(1, 65_536 / inner), in: outer) { rows in
      for row in rows {
        var index = row
        var offset = layout.offset
        for axis in outerExtents.indices.reversed() {
          offset += index % outerExtents[axis] * outerStrides[axis]
          index /= outerExtents[axis]
        }
        copyStrided(
          target + row * inner * size, source + offset * size, stride: innerStride, count: inner, size: size)
      }
    }
    let node = node
    return Tensor(storage: result, layout: Layout(shape), dtype: dtype)
      .recorded(from: [self]) { gradient, store in store.add(gradient, to: node) }
  }

  private func convert(into output: UnsafeMutablePointer<Float>) {
    let source = UnsafeRawPointer(storage.bytes.baseAddress!) + layout.offset * dtype.byteCount
    nonisolated(unsafe) let (from, to) = (source, output)
    Workers.forEachBlock(of: 65_536, in: count) { range in
      let start = from + range.lowerBound * dtype.byteCount
      let target = to + range.lowerBound
      switch dtype {
      case .bfloat16: kernels.widen_bf16(target, start.assumingMemoryBound(to: UInt16.self), range.count)
      case .float16: kernels.widen_f16(target, start.assumingMemoryBound(to: UInt16.self), range.count)
      case .float32: target.update(from: start.assumingMemoryBound(to: Float.self), count: range.count)
      case .float64: Self.copy(start, to: target, range.count, as: Double.self) { Float($0) }
      case .int64: Self.copy(start, to: target, range.count, as: Int64.self) { Float($0) }
      case .int32: Self.copy(start, to: target, range.count, as: Int32.self) { Float($0) }
      case .int16: Self.copy(start, to: target, range.count, as: Int16.self) { Float($0) }
      case .int8: Self.copy(start, to: target, range.count, as: Int8.self) { Float($0) }
      case .uint8, .bool: Self.copy(start, to: target, range.count, as: UInt8.self) { Float($0) }
      }
    }
  }

  private static func copy<Element>(
    _ source: UnsafeRawPointer, to target: UnsafeMutablePointer<Float>, _ count: Int, as type: Element.Type,
    _ value: (Element) -> Float
  ) {
    let size = MemoryLayout<Element>.size
    for index in 0..<count { target[index] = value(source.loadUnaligned(fromByteOffset: index * size, as: type)) }
  }

  /// Joins tensors along `axis`, as float32; all other extents must agree.
  package static func concatenated(_ parts: [Tensor], axis: Int) -> Tensor {
    precondition(!parts.isEmpty, "nothing to concatenate")
    if parts.count == 1 { return parts[0].dense() }
    let axis = axis < 0 ? axis + parts[0].rank : axis
    let (nodes, lengths) = (parts.map(\.node), parts.map { $0.shape[axis] })
    var extents = parts[0].shape.extents
    extents[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
    let outer = extents[..<axis].reduce(1, *)
    let rowLength = extents[axis...].reduce(1, *)
    return Tensor(Shape(extents)) { output in
      var column = 0
      for part in parts {
        var expected = extents
        expected[axis] = part.shape[axis]
        precondition(
          part.shape.extents == expected, "cannot concatenate \(part.shape) to \(Shape(extents)) on axis \(axis)")
        let length = expected[axis...].reduce(1, *)
        part.withFloats { source in
          for row in 0..<outer {
            (output + row * rowLength + column).update(from: source + row * length, count: length)
          }
        }
        column += length
      }
    }
    .recorded(from: parts) { gradient, store in
      var start = 0
      for (node, length) in zip(nodes, lengths) {
        store.add(gradient.sliced(axis, start..<start + length), to: node)
        start += length
      }
    }
  }

  /// `count` copies of a single sample along the first axis: `[1, ...]` to `[count, ...]`, without copying.
  package func repeated(_ count: Int) -> Tensor {
    precondition(shape[0] == 1, "repeating \(shape)")
    let (node, shape) = (node, shape)
    return Tensor(
      storage: storage,
      layout: Layout(
        shape: Shape([count] + shape.extents.dropFirst()), strides: [0] + layout.strides.dropFirst(),
        offset: layout.offset),
      dtype: dtype
    ).recorded(from: [self]) { gradient, store in
      store.add(gradient.rowSums(shape.count).reshaped(shape), to: node)
    }
  }

  /// This tensor rounded to another storage type (float32 to bfloat16 or float16, to nearest even); gradients flow back
  /// as if it were not rounded.
  package func stored(as dtype: DType) -> Tensor {
    if dtype == self.dtype { return self }
    precondition(dtype.isWeight, "tensors are not stored as \(dtype.rawValue)")
    let storage = Storage(byteCount: max(count, 1) * dtype.byteCount)
    if dtype == .float32 { return dense() }
    nonisolated(unsafe) let output = storage.bytes.baseAddress!.assumingMemoryBound(to: UInt16.self)
    withFloats { source in
      nonisolated(unsafe) let source = source
      Workers.forEachBlock(of: 65_536, in: count) { range in
        let (target, start) = (output + range.lowerBound, source + range.lowerBound)
        if dtype == .bfloat16 {
          kernels.narrow_bf16(target, start, range.count)
        } else {
          kernels.narrow_f16(target, start, range.count)
        }
      }
    }
    let node = node
    return Tensor(storage: storage, layout: Layout(shape), dtype: dtype)
      .recorded(from: [self]) { gradient, store in store.add(gradient, to: node) }
  }
}

extension Tensor {
  /// Applies a row-wise map to blocks of rows of the last axis and joins the results.
  ///
  /// - Parameter map: takes `[rows, D]` to `[rows, D']`, each row by itself, with the same D' for every block.
  /// - Returns: `[..., D']`.
  package func mappingRows(of block: Int, _ map: (Tensor) throws -> Tensor) rethrows -> Tensor {
    let width = shape[-1]
    let rows = count / width
    let flat = reshaped([rows, width])
    guard rows > block else {
      let mapped = try map(flat)
      return mapped.reshaped(Shape(shape.extents.dropLast() + [mapped.shape[1]]))
    }
    let tiling = Tiling(count: rows, limit: block, multiple: 1)
    let first = try map(flat.sliced(0, tiling[0]))
    if first.isRecorded {
      let others = try (1..<tiling.tiles).map { try map(flat.sliced(0, tiling[$0])) }
      return Tensor.concatenated([first] + others, axis: 0)
        .reshaped(Shape(shape.extents.dropLast() + [first.shape[1]]))
    }
    let outputWidth = first.shape[1]
    let storage = Storage(byteCount: rows * outputWidth * 4)
    let output = storage.bytes.baseAddress!.assumingMemoryBound(to: Float.self)
    for tile in 0..<tiling.tiles {
      let range = tiling[tile]
      try (tile == 0 ? first : map(flat.sliced(0, range))).withFloats {
        (output + range.lowerBound * outputWidth).update(from: $0, count: range.count * outputWidth)
      }
    }
    return Tensor(
      storage: storage, layout: Layout(Shape(shape.extents.dropLast() + [outputWidth])), dtype: .float32)
  }
}
