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
  private static let transposedLines = 64

  /// Transposes a block of the gradient at a time, which then meets panels of the input.
  static func panelWeight(
    _ gradient: UnsafePointer<Float>, _ input: UnsafePointer<Float>, rows: Int, outputs: Int, inputs: Int,
    _ output: UnsafeMutablePointer<Float>, isRounded: Bool
  ) {
    let parts = Tiling(count: outputs, limit: PackedProduct.tileRows, multiple: 16)
    let chunks = Tiling(count: rows, limit: isRounded ? RoundedProduct.depth : PackedProduct.depth, multiple: 16)
    let panels = Tiling(count: inputs, limit: PackedProduct.panel, multiple: 16)
    // The gap keeps rows from all starting at the same place of a page of the cache.
    let stride = (isRounded ? chunks.size / 2 : chunks.size) + RoundedProduct.rowGap
    withScratch(min(parts.size, outputs) * stride) { transposed in
      // Sound: blocks write disjoint rows of the transposed gradient, then disjoint columns of the output.
      nonisolated(unsafe) let (gradient, input, output, transposed) = (gradient, input, output, transposed)
      nonisolated(unsafe) let pairs = UnsafeMutableRawPointer(transposed).assumingMemoryBound(to: UInt32.self)
      for part in (0..<parts.tiles).map({ parts[$0] }) {
        for chunk in 0..<chunks.tiles {
          let terms = chunks[chunk]
          Workers.forEachBlock(of: transposedLines, in: part.count) { lines in
            let source = gradient + terms.lowerBound * outputs + part.lowerBound + lines.lowerBound
            guard isRounded else {
              kernels.transpose(
                transposed + lines.lowerBound * stride, stride, source, outputs, 1, terms.count, lines.count)
              return
            }
            withScratch(lines.count * terms.count) { block in
              kernels.transpose(block, terms.count, source, outputs, 1, terms.count, lines.count)
              for line in lines {
                RoundedProduct.round(
                  block + (line - lines.lowerBound) * terms.count, terms.count, to: pairs + line * stride)
              }
            }
          }
          Workers.forEach(panels.tiles) { index in
            let panel = panels[index]
            let rows = input + terms.lowerBound * inputs + panel.lowerBound
            let target = output + part.lowerBound * inputs + panel.lowerBound
            if isRounded {
              RoundedProduct.multiply(
                part.count, panel.count, terms.count, pairs, strideA: stride, rows, strideB: inputs,
                transposedB: false, adds: chunk > 0, target, strideC: inputs)
            } else {
              PackedProduct.multiply(
                part.count, panel.count, terms.count, transposed, strideA: stride, rows, strideB: inputs,
                transposedB: false, adds: chunk > 0, target, strideC: inputs)
            }
          }
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
