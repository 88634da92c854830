/// Products of many rows with a stored weight, forwards or backwards, by tiles of fixed size: results do not depend on the
/// number of threads.
enum WeightProduct {
  // A tile's size trades OpenBLAS's packing of operands, which large tiles repeat less, against threads that wait for
  // the last tile: measured in scripts/bench/NOTES.md.
  static let tileRows = 544
  static let tileColumns = 768
  /// Terms multiplied at a time, which bounds a widened block of weights to 12 MB.
  private static let tileDepth = 4096

  /// output = input weight' or, with `transposed` false, input weight.
  ///
  /// - Parameters:
  ///   - input: `[rows, terms]`, dense, as is the output `[rows, columns]`.
  ///   - weight: `[columns, terms]` or, with `transposed` false, `[terms, columns]`.
  ///   - finish: called with each complete tile's first element, its number of rows, and its columns of the output.
  static func multiply(
    _ input: UnsafePointer<Float>, rows: Int, _ weight: StoredMatrix, transposed: Bool,
    _ output: UnsafeMutablePointer<Float>,
    finish: @Sendable (_ tile: UnsafeMutablePointer<Float>, _ rows: Int, _ columns: Range<Int>) -> Void
  ) {
    if RoundedProduct.isUsed(rows: rows) {
      return multiplyRounded(input, rows: rows, weight, transposed: transposed, output, finish: finish)
    }
    let (count, terms) = transposed ? (weight.rows, weight.columns) : (weight.columns, weight.rows)
    let isPacked = PackedProduct.isFast(rows: rows)
    let rowTiles = Tiling(count: rows, limit: isPacked ? PackedProduct.tileRows : tileRows, multiple: 16)
    let panels = Tiling(count: count, limit: isPacked ? PackedProduct.panel : tileColumns, multiple: 64)
    let chunks = Tiling(count: terms, limit: isPacked ? PackedProduct.depth : tileDepth, multiple: 64)
    // Sound: tiles write disjoint parts of the output and only read everything else.
    nonisolated(unsafe) let (input, output, weight) = (input, output, weight)
    Workers.forEach(rowTiles.tiles * panels.tiles) { tile in
      let rowRange = rowTiles[tile % rowTiles.tiles]
      let panel = panels[tile / rowTiles.tiles]
      let target = output + rowRange.lowerBound * count + panel.lowerBound
      for chunk in 0..<chunks.tiles {
        let part = chunks[chunk]
        let source = input + rowRange.lowerBound * terms + part.lowerBound
        weight.withBlock(rows: transposed ? panel : part, columns: transposed ? part : panel) { weights, stride in
          if isPacked {
            PackedProduct.multiply(
              rowRange.count, panel.count, part.count, source, strideA: terms, weights, strideB: stride,
              transposedB: transposed, adds: chunk > 0, target, strideC: count)
          } else {
            BLAS.multiply(
              rowRange.count, panel.count, part.count, source, strideA: terms, weights, strideB: stride,
              transposedB: transposed, beta: chunk == 0 ? 0 : 1, target, strideC: count)
          }
        }
      }
      finish(target, rowRange.count, panel)
    }
  }

  /// The same with rounded operands.
  static func multiplyRounded(
    _ input: UnsafePointer<Float>, rows: Int, _ weight: StoredMatrix, transposed: Bool,
    _ output: UnsafeMutablePointer<Float>,
    finish: @Sendable (_ tile: UnsafeMutablePointer<Float>, _ rows: Int, _ columns: Range<Int>) -> Void
  ) {
    let (count, terms) = transposed ? (weight.rows, weight.columns) : (weight.columns, weight.rows)
    let blocks = PanelBlocks(rows: rows, columns: count, terms: terms, depth: RoundedProduct.depth)
    let stride = blocks.largestTerms / 2 + RoundedProduct.rowGap
    withScratch(blocks.largestRows * stride) { scratch in
      // Sound: blocks write disjoint rounded rows, then disjoint tiles of the output, and only read everything else.
      nonisolated(unsafe) let (input, output, weight) = (input, output, weight)
      nonisolated(unsafe) let rounded = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: UInt32.self)
      blocks.forEach { block, lines in
        for line in lines {
          let source = input + (block.rows.lowerBound + line) * terms + block.terms.lowerBound
          RoundedProduct.round(source, block.terms.count, to: rounded + line * stride)
        }
      } multiply: { block, panel in
        let target = output + block.rows.lowerBound * count + panel.lowerBound
        let (weightRows, weightColumns) = transposed ? (panel, block.terms) : (block.terms, panel)
        weight.withBlock(rows: weightRows, columns: weightColumns) { weights, strideB in
          RoundedProduct.multiply(
            block.rows.count, panel.count, block.terms.count, rounded, strideA: stride, weights, strideB: strideB,
            transposedB: transposed, adds: !block.isFirst, target, strideC: count)
        }
        if block.isLast { finish(target, block.rows.count, panel) }
      }
    }
  }
}
