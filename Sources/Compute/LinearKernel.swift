import CKernels

/// Functions applied after a linear map, fused into its tiles.
package enum Activation: Sendable {
  case identity
  /// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
  case geluTanh
  /// 0.5 x (1 + erf(x / sqrt 2))
  case gelu
  /// x / (1 + e^-x)
  case silu
  case relu
  /// x / (1 + e^(-1.702 x))
  case quickGELU
  /// 1 / (1 + e^-x)
  case sigmoid
  case tanh

  package var code: Int32 {
    let value =
      switch self {
      case .identity: VAP_IDENTITY
      case .geluTanh: VAP_GELU_TANH
      case .gelu: VAP_GELU_ERF
      case .silu: VAP_SILU
      case .relu: VAP_RELU
      case .quickGELU: VAP_QUICK_GELU
      case .sigmoid: VAP_SIGMOID
      case .tanh: VAP_TANH
      }
    return Int32(value.rawValue)
  }
}

/// A dense `[outputs, inputs]` weight as it lies in storage.
package struct StoredMatrix {
  package let start: UnsafeRawPointer
  package let dtype: DType
  package let rows: Int
  package let columns: Int

  package init(start: UnsafeRawPointer, dtype: DType, rows: Int, columns: Int) {
    precondition(dtype.isWeight, "matrices of type \(dtype.rawValue) are not multiplied")
    self.start = start
    self.dtype = dtype
    self.rows = rows
    self.columns = columns
  }

  /// Calls `body` with whole rows as float32, dense.
  package func withRows(_ range: Range<Int>, _ body: (UnsafePointer<Float>) -> Void) {
    withBlock(rows: range, columns: 0..<columns) { rows, _ in body(rows) }
  }

  /// Calls `body` with a block of the matrix as float32 and its row stride; 16-bit values are widened into scratch that
  /// ends with the call.
  package func withBlock(
    rows range: Range<Int>, columns part: Range<Int>, _ body: (UnsafePointer<Float>, _ stride: Int) -> Void
  ) {
    let first = start + (range.lowerBound * columns + part.lowerBound) * dtype.byteCount
    guard dtype != .float32 else { return body(first.assumingMemoryBound(to: Float.self), columns) }
    let widen = dtype == .bfloat16 ? kernels.widen_bf16 : kernels.widen_f16
    withScratch(range.count * part.count) { scratch in
      let halves = first.assumingMemoryBound(to: UInt16.self)
      for row in 0..<range.count { widen(scratch + row * part.count, halves + row * columns, part.count) }
      body(scratch, part.count)
    }
  }
}

package enum LinearKernel {
  /// output = activation(input weight' + bias)
  ///
  /// - Parameters: input `[rows, inputs]` and output `[rows, outputs]`, dense; weight `[outputs, inputs]`; bias
  ///   `[outputs]`.
  package static func apply(
    _ input: UnsafePointer<Float>, rows: Int, _ weight: StoredMatrix, bias: UnsafePointer<Float>?,
    _ activation: Activation, _ output: UnsafeMutablePointer<Float>
  ) {
    let outputs = weight.rows
    // Sound: it is only read.
    nonisolated(unsafe) let bias = bias
    WeightProduct.multiply(input, rows: rows, weight, transposed: true, output) { tile, rows, columns in
      kernels.bias_activate(
        tile, rows, outputs, bias.map { $0 + columns.lowerBound }, activation.code, columns.count)
    }
  }
}

/// A cut of `count` items into equal tiles of at most `limit` (or one `multiple`), whole multiples of `multiple` but for
/// the last.
package struct Tiling {
  package let count: Int
  package let size: Int

  package init(count: Int, limit: Int, multiple: Int) {
    self.count = count
    let largest = max(multiple, limit / multiple * multiple)
    let tiles = max(1, (count + largest - 1) / largest)
    size = max(multiple, ((count + tiles - 1) / tiles + multiple - 1) / multiple * multiple)
  }

  package var tiles: Int { (count + size - 1) / size }
  package subscript(tile: Int) -> Range<Int> { tile * size..<min(count, (tile + 1) * size) }
}
