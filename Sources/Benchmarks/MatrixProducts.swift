import Compute
import Tensors

/// Matrix products by themselves, as OpenBLAS computes them: what fused operations are measured against.
enum MatrixProducts {
  /// Weighted sums of linear maps of some rows: `[rows, inputs] x [outputs, inputs]'`, each `count` times.
  static func linear(rows: Int, _ maps: [(inputs: Int, outputs: Int, count: Int)]) -> () -> Void {
    let operands = maps.map { map in
      (
        input: Tensor.benchmarkInput([rows, map.inputs], "rows"),
        weight: Tensor.benchmarkInput([map.outputs, map.inputs], "matrix"), count: map.count
      )
    }
    return {
      for operand in operands {
        for _ in 0..<operand.count { _ = operand.input.linear(operand.weight) }
      }
    }
  }

  /// The products q k' and p v of attention in tiles that stay in cache, p being any weights.
  static func attention(heads: Int, headSize: Int, queries: Int, keys: Int) -> () -> Void {
    let (queryTile, keyTile) = (256, 512)
    let shape: (Int) -> Shape = { [heads, $0, headSize] }
    let (q, k, v) = (
      Tensor.benchmarkInput(shape(queries), "q"), Tensor.benchmarkInput(shape(keys), "k"),
      Tensor.benchmarkInput(shape(keys), "v")
    )
    let blocks = Tiling(count: queries, limit: queryTile, multiple: 16)
    return {
      Tensor.withPointers([q, k, v]) { pointers in
        // Present: none of the tensors is optional. Sound: a task writes to its own scratch only.
        nonisolated(unsafe) let (q, k, v) = (pointers[0]!, pointers[1]!, pointers[2]!)
        Workers.forEach(heads * blocks.tiles) { task in
          let (head, rows) = (task / blocks.tiles, blocks[task % blocks.tiles])
          withScratch(rows.count * (keyTile + headSize)) { scores in
            let sums = scores + rows.count * keyTile
            sums.update(repeating: 0, count: rows.count * headSize)
            for first in stride(from: 0, to: keys, by: keyTile) {
              let (columns, offset) = (min(keyTile, keys - first), (head * keys + first) * headSize)
              BLAS.multiply(
                rows.count, columns, headSize, q + (head * queries + rows.lowerBound) * headSize, strideA: headSize,
                k + offset, strideB: headSize, scores, strideC: keyTile)
              BLAS.multiply(
                rows.count, headSize, columns, scores, strideA: keyTile, v + offset, strideB: headSize,
                transposedB: false, beta: 1, sums, strideC: headSize)
            }
          }
        }
      }
    }
  }
}

extension Tensor {
  /// Normal values that depend on the name.
  static func benchmarkInput(_ shape: Shape, _ name: String) -> Tensor {
    var generator = RandomGenerator(seed: 7, nextStream: UInt64(name.utf8.reduce(0) { $0 * 31 + Int($1) }))
    return .normal(shape, from: &generator)
  }
}
