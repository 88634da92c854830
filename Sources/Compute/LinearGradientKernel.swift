import CKernels

/// The products of a linear map's backward pass, by tiles of fixed size: results do not depend on the thread count.
package enum LinearGradientKernel {
  private static let tileRows = 544
  private static let tileColumns = 768
  /// Outputs multiplied at a time, which bounds a widened block of weights.
  private static let tileOutputs = 4096

  /// output = gradient weight
  ///
  /// - Parameters: gradient `[rows, outputs]` and output `[rows, inputs]`, dense; weight `[outputs, inputs]`.
  package static func input(
    _ gradient: UnsafePointer<Float>, rows: Int, _ weight: StoredMatrix, _ output: UnsafeMutablePointer<Float>
  ) {
    let (inputs, outputs) = (weight.columns, weight.rows)
    let isPacked = PackedProduct.isFast(rows: rows)
    let rowTiles = Tiling(count: rows, limit: isPacked ? PackedProduct.tileRows : tileRows, multiple: 16)
    let panels = Tiling(count: inputs, limit: isPacked ? PackedProduct.panel : tileColumns, multiple: 64)
    let chunks = Tiling(count: outputs, limit: isPacked ? PackedProduct.depth : tileOutputs, multiple: 64)
    // Sound: tiles write disjoint parts of the output and only read everything else.
    nonisolated(unsafe) let (gradient, output, weight) = (gradient, output, weight)
    Workers.forEach(rowTiles.tiles * panels.tiles) { tile in
      let rowRange = rowTiles[tile % rowTiles.tiles]
      let panel = panels[tile / rowTiles.tiles]
      let target = output + rowRange.lowerBound * inputs + panel.lowerBound
      for chunk in 0..<chunks.tiles {
        let part = chunks[chunk]
        let source = gradient + rowRange.lowerBound * outputs + part.lowerBound
        weight.withBlock(rows: part, columns: panel) { weights, stride in
          if isPacked {
            PackedProduct.multiply(
              rowRange.count, panel.count, part.count, source, strideA: outputs, weights, strideB: stride,
              transposedB: false, adds: chunk > 0, target, strideC: inputs)
          } else {
            BLAS.multiply(
              rowRange.count, panel.count, part.count, source, strideA: outputs, weights, strideB: stride,
              transposedB: false, beta: chunk == 0 ? 0 : 1, target, strideC: inputs)
          }
        }
      }
    }
  }

  /// output = gradient' input
  ///
  /// - Parameters: gradient `[rows, outputs]`, input `[rows, inputs]`, output `[outputs, inputs]`, all dense.
  package static func weight(
    _ gradient: UnsafePointer<Float>, _ input: UnsafePointer<Float>, rows: Int, outputs: Int, inputs: Int,
    _ output: UnsafeMutablePointer<Float>
  ) {
    let outputTiles = Tiling(count: outputs, limit: tileRows, multiple: 16)
    let panels = Tiling(count: inputs, limit: tileColumns, multiple: 64)
    // Sound: as above.
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
