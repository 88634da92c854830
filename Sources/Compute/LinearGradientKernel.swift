import CKernels

/// The products of a linear map's backward pass, by tiles of fixed size: results do not depend on the thread count.
package enum LinearGradientKernel {
  /// output = gradient weight
  ///
  /// - Parameters: gradient `[rows, outputs]` and output `[rows, inputs]`, dense; weight `[outputs, inputs]`.
  package static func input(
    _ gradient: UnsafePointer<Float>, rows: Int, _ weight: StoredMatrix, _ output: UnsafeMutablePointer<Float>
  ) {
    WeightProduct.multiply(gradient, rows: rows, weight, transposed: false, output) { _, _, _ in }
  }

  /// output = gradient' input
  ///
  /// - Parameters: gradient `[rows, outputs]`, input `[rows, inputs]`, output `[outputs, inputs]`, all dense.
  package static func weight(
    _ gradient: UnsafePointer<Float>, _ input: UnsafePointer<Float>, rows: Int, outputs: Int, inputs: Int,
    _ output: UnsafeMutablePointer<Float>
  ) {
    if RoundedProduct.isUsed(rows: min(rows, outputs)) {
      panelWeight(gradient, input, rows: rows, outputs: outputs, inputs: inputs, output, isRounded: true)
    } else if rows >= leastPackedRows, PackedProduct.isFast(rows: outputs) {
      panelWeight(gradient, input, rows: rows, outputs: outputs, inputs: inputs, output, isRounded: false)
    } else {
      tiledWeight(gradient, input, rows: rows, outputs: outputs, inputs: inputs, output)
    }
  }

  /// Sums of fewer rows do not repay the transposition.
  private static let leastPackedRows = 64

  /// Transposes a block of the gradient at a time, which then meets panels of the input.
  static func panelWeight(
    _ gradient: UnsafePointer<Float>, _ input: UnsafePointer<Float>, rows: Int, outputs: Int, inputs: Int,
    _ output: UnsafeMutablePointer<Float>, isRounded: Bool
  ) {
    let blocks = PanelBlocks(
      rows: outputs, columns: inputs, terms: rows, depth: isRounded ? RoundedProduct.depth : PackedProduct.depth)
    // The gap keeps rows from all starting at the same place of a page of the cache.
    let stride = (isRounded ? blocks.largestTerms / 2 : blocks.largestTerms) + RoundedProduct.rowGap
    withScratch(blocks.largestRows * stride) { transposed in
      // Sound: blocks write disjoint rows of the transposed gradient, then disjoint columns of the output.
      nonisolated(unsafe) let (gradient, input, output, transposed) = (gradient, input, output, transposed)
      nonisolated(unsafe) let pairs = UnsafeMutableRawPointer(transposed).assumingMemoryBound(to: UInt32.self)
      blocks.forEach { block, lines in
        let terms = block.terms.count
        let source = gradient + block.terms.lowerBound * outputs + block.rows.lowerBound + lines.lowerBound
        guard isRounded else {
          kernels.transpose(
            transposed + lines.lowerBound * stride, stride, source, outputs, 1, terms, lines.count)
          return
        }
        withScratch(lines.count * terms) { copy in
          kernels.transpose(copy, terms, source, outputs, 1, terms, lines.count)
          for line in lines {
            RoundedProduct.round(copy + (line - lines.lowerBound) * terms, terms, to: pairs + line * stride)
          }
        }
      } multiply: { block, panel in
        let (count, terms) = (block.rows.count, block.terms.count)
        let source = input + block.terms.lowerBound * inputs + panel.lowerBound
        let target = output + block.rows.lowerBound * inputs + panel.lowerBound
        if isRounded {
          RoundedProduct.multiply(
            count, panel.count, terms, pairs, strideA: stride, source, strideB: inputs, transposedB: false,
            adds: !block.isFirst, target, strideC: inputs)
        } else {
          PackedProduct.multiply(
            count, panel.count, terms, transposed, strideA: stride, source, strideB: inputs, transposedB: false,
            adds: !block.isFirst, target, strideC: inputs)
        }
      }
    }
  }

  private static func tiledWeight(
    _ gradient: UnsafePointer<Float>, _ input: UnsafePointer<Float>, rows: Int, outputs: Int, inputs: Int,
    _ output: UnsafeMutablePointer<Float>
  ) {
    let outputTiles = Tiling(count: outputs, limit: WeightProduct.tileRows, multiple: 16)
    let panels = Tiling(count: inputs, limit: WeightProduct.tileColumns, multiple: 64)
    // Sound: tiles write disjoint parts of the output and only read everything else.
    nonisolated(unsafe) let (gradient, input, output) = (gradient, input, output)
    Workers.forEach(outputTiles.tiles * panels.tiles) { tile in
      let part = outputTiles[tile % outputTiles.tiles]
      let panel = panels[tile / outputTiles.tiles]
      BLAS.multiply(
        part.count, panel.count, rows, gradient + part.lowerBound, strideA: outputs, transposedA: true,
        input + panel.lowerBound, strideB: inputs, transposedB: false,
        output + part.lowerBound * inputs + panel.lowerBound, strideC: inputs)
    }
  }
}
