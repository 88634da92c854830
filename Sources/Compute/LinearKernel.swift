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

  /// Calls `body` with the rows in `range` as float32; 16-bit rows are widened into scratch that ends with the call.
  package func withRows(_ range: Range<Int>, _ body: (UnsafePointer<Float>) -> Void) {
    let first = start + range.lowerBound * columns * dtype.byteCount
    guard dtype != .float32 else { return body(first.assumingMemoryBound(to: Float.self)) }
    let count = range.count * columns
    withScratch(count) { scratch in
      let halves = first.assumingMemoryBound(to: UInt16.self)
      if dtype == .bfloat16 { kernels.widen_bf16(scratch, halves, count) } else { kernels.widen_f16(scratch, halves, count) }
      body(scratch)
    }
  }
}

package enum LinearKernel {
  /// Rows of a tile; a tile re-reads its panel of weights from cache, so more rows cost fewer conversions.
  private static let tileRows = 512
  /// Float32 elements of a weight panel (about 6 MB): what a thread widens at a time.
  private static let panelElements = 1 << 20 | 1 << 19

  /// output = activation(input weight' + bias)
  ///
  /// - Parameters: input `[rows, inputs]` and output `[rows, outputs]`, dense; weight `[outputs, inputs]`; bias
  ///   `[outputs]`.
  package static func apply(
    _ input: UnsafePointer<Float>, rows: Int, _ weight: StoredMatrix, bias: UnsafePointer<Float>?,
    _ activation: Activation, _ output: UnsafeMutablePointer<Float>
  ) {
    let (inputs, outputs) = (weight.columns, weight.rows)
    let rowTiles = Tiling(count: rows, limit: tileRows, multiple: 16)
    let panels = Tiling(count: outputs, limit: max(64, min(768, panelElements / inputs)), multiple: 64)
    // Sound: tiles write disjoint parts of the output and only read everything else.
    nonisolated(unsafe) let (input, bias, output, weight) = (input, bias, output, weight)
    Workers.forEach(rowTiles.tiles * panels.tiles) { tile in
      let rowRange = rowTiles[tile % rowTiles.tiles]
      let panel = panels[tile / rowTiles.tiles]
      let target = output + rowRange.lowerBound * outputs + panel.lowerBound
      weight.withRows(panel) { weights in
        BLAS.multiply(
          rowRange.count, panel.count, inputs, input + rowRange.lowerBound * inputs, strideA: inputs,
          weights, strideB: inputs, target, strideC: outputs)
      }
      kernels.bias_activate(
        target, rowRange.count, outputs, bias.map { $0 + panel.lowerBound }, activation.code, panel.count)
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
