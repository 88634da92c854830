import Compute

/// An n-dimensional array: a view of shared storage.
///
/// Copying a tensor is free and contents are immutable: every operation fills a fresh storage before handing it out.
/// Incompatible shapes are programmer errors and trap; values that come from files are checked where they enter.
///
/// This is the only type models compute with, so a second device enters here and in the operations of this target, not
/// in layers or models. So does the recording of gradients: an operation records itself if one of its inputs is recorded,
/// and costs nothing otherwise.
package struct Tensor: Sendable {
  // Replaceable for the operations here that update a tensor in place, where no other shares its storage.
  package internal(set) var storage: Storage
  package let layout: Layout
  package let dtype: DType
  /// How the contents were computed, if a gradient is to flow back through them.
  let node: GradientNode?

  package init(storage: Storage, layout: Layout, dtype: DType) {
    self.init(storage: storage, layout: layout, dtype: dtype, node: nil)
  }

  init(storage: Storage, layout: Layout, dtype: DType, node: GradientNode?) {
    self.storage = storage
    self.layout = layout
    self.dtype = dtype
    self.node = node
  }

  package var shape: Shape { layout.shape }
  package var rank: Int { layout.shape.rank }
  package var count: Int { layout.shape.count }
  /// Size of the elements in bytes, as stored.
  package var byteCount: Int { count * dtype.byteCount }
}

// MARK: - Making tensors

extension Tensor {
  /// A dense float32 tensor whose contents `fill` writes.
  package init(_ shape: Shape, filledBy fill: (UnsafeMutablePointer<Float>) -> Void) {
    let storage = Storage(byteCount: max(shape.count, 1) * 4)
    // A pool block always has an address.
    fill(storage.bytes.baseAddress!.assumingMemoryBound(to: Float.self))
    self.init(storage: storage, layout: Layout(shape), dtype: .float32)
  }

  package init(_ values: [Float], shape: Shape) {
    precondition(values.count == shape.count, "\(values.count) values do not fill shape \(shape)")
    self.init(shape) { output in
      values.withUnsafeBufferPointer { output.update(from: $0.baseAddress!, count: $0.count) }
    }
  }

  package init(_ values: [Float]) { self.init(values, shape: [values.count]) }

  package static func filled(_ shape: Shape, with value: Float) -> Tensor {
    Tensor(shape) { $0.update(repeating: value, count: shape.count) }
  }

  package static func zeros(_ shape: Shape) -> Tensor { filled(shape, with: 0) }

  /// Uniform values within `bound` of zero from `generator`.
  package static func uniform(_ shape: Shape, within bound: Float, from generator: inout RandomGenerator) -> Tensor {
    var copy = generator
    defer { generator = copy }
    return Tensor(shape) { copy.drawUniforms(into: UnsafeMutableBufferPointer(start: $0, count: shape.count)) }
      .scaled(by: bound)
  }

  /// Standard normal values from `generator`.
  package static func normal(_ shape: Shape, from generator: inout RandomGenerator) -> Tensor {
    var copy = generator
    defer { generator = copy }
    return Tensor(shape) { copy.drawNormals(into: UnsafeMutableBufferPointer(start: $0, count: shape.count)) }
  }
}

// MARK: - Reading contents

extension Tensor {
  /// Calls `body` with the elements of a dense float32 tensor, converting or gathering first if it is not one.
  ///
  /// Operations of this target use it on their inputs; the pointer must not leave `body`.
  package func withFloats<Result>(_ body: (UnsafePointer<Float>) throws -> Result) rethrows -> Result {
    let dense = self.dense()
    let base = UnsafeRawPointer(dense.storage.bytes.baseAddress!).assumingMemoryBound(to: Float.self)
    return try withExtendedLifetime(dense) { try body(base + dense.layout.offset) }
  }

  /// `withFloats` for several tensors at once, some of which may be absent.
  package static func withPointers<Result>(
    _ tensors: [Tensor?], _ body: ([UnsafePointer<Float>?]) throws -> Result
  ) rethrows -> Result {
    let dense = tensors.map { $0?.dense() }
    return try withExtendedLifetime(dense) {
      try body(
        dense.map { tensor in
          tensor.map {
            UnsafeRawPointer($0.storage.bytes.baseAddress!).assumingMemoryBound(to: Float.self) + $0.layout.offset
          }
        })
    }
  }

  /// All elements in row-major order as float32. The one call that waits for contents.
  package func floats() -> [Float] {
    guard count > 0 else { return [] }
    return withFloats { Array(UnsafeBufferPointer(start: $0, count: count)) }
  }

  /// All elements in row-major order as float64, exact for every stored type but 64-bit integers above 2^53.
  package func doubles() -> [Double] {
    switch dtype {
    case .float64: elements(as: Double.self)
    case .int64: elements(as: Int64.self).map(Double.init)
    default: floats().map(Double.init)
    }
  }

  /// All elements in row-major order as integers; traps on floating-point tensors.
  package func integers() -> [Int] {
    switch dtype {
    case .int64: elements(as: Int64.self).map(Int.init)
    case .int32: elements(as: Int32.self).map(Int.init)
    case .int16: elements(as: Int16.self).map(Int.init)
    case .int8: elements(as: Int8.self).map(Int.init)
    case .uint8, .bool: elements(as: UInt8.self).map(Int.init)
    case .float64, .float32, .float16, .bfloat16: preconditionFailure("integers() of a \(dtype.rawValue) tensor")
    }
  }

  private func elements<Element>(as type: Element.Type) -> [Element] {
    let view = layout.isDense ? self : gathered()
    let bytes = UnsafeRawBufferPointer(view.storage.bytes)
    let size = MemoryLayout<Element>.size
    return withExtendedLifetime(view) {
      (0..<count).map { bytes.loadUnaligned(fromByteOffset: (view.layout.offset + $0) * size, as: type) }
    }
  }
}
