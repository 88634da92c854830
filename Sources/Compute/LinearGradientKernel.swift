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
