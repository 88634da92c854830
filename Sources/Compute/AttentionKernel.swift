import CKernels
import Foundation

/// Keys and values of one part of the sequence, head-major: `[batch x heads, tokens, headSize]`, dense.
package struct AttentionPart {
  package let keys: UnsafePointer<Float>
  package let values: UnsafePointer<Float>
  package let tokens: Int

  package init(keys: UnsafePointer<Float>, values: UnsafePointer<Float>, tokens: Int) {
    self.keys = keys
    self.values = values
    self.tokens = tokens
  }
}

/// softmax(scale q k') v over a list of key and value parts, by tiles with online softmax (Milakov & Gimelshein 2018).
///
/// A tile of scores is the largest thing in memory; the full score matrix never exists.
package enum AttentionKernel {
  private static let queryTile = 256
  private static let keyTile = 512

  /// - Parameters:
  ///   - queries: `[batch x heads, tokens, headSize]`, dense.
  ///   - bias: `[heads, tokens, all keys]` added to the scores after scaling, the parts' keys side by side.
  ///   - output: `[batch, tokens, heads x headSize]`, dense: heads side by side, as the output projection reads them.
  package static func apply(
    queries: UnsafePointer<Float>, tokens: Int, batch: Int, heads: Int, headSize: Int, parts: [AttentionPart],
    scale: Float, bias: UnsafePointer<Float>? = nil, output: UnsafeMutablePointer<Float>
  ) {
    let blocks = Tiling(count: tokens, limit: queryTile, multiple: 16)
    // Base-2 logits: the exponential is 2^x, and its factor rides along in the product.
    let factor = scale * Float(M_LOG2E)
    let keyCount = parts.reduce(0) { $0 + $1.tokens }
    // Sound: tiles write disjoint rows of the output and only read everything else.
    nonisolated(unsafe) let (queries, parts, bias, output) = (queries, parts, bias, output)
    Workers.forEach(batch * heads * blocks.tiles) { tile in
      let (head, rows) = (tile / blocks.tiles, blocks[tile % blocks.tiles])
      let count = rows.count
      withScratch(count * (keyTile + headSize + 2)) { scratch in
        let scores = scratch
        let sums = scores + count * keyTile
        let maxima = sums + count
        let accumulated = maxima + count
        sums.update(repeating: 0, count: count)
        maxima.update(repeating: -.infinity, count: count)
        accumulated.update(repeating: 0, count: count * headSize)
        var firstKey = 0
        for part in parts {
          for first in stride(from: 0, to: part.tokens, by: keyTile) {
            let columns = min(keyTile, part.tokens - first)
            let offset = (head * part.tokens + first) * headSize
            BLAS.multiply(
              count, columns, headSize, alpha: factor,
              queries + (head * tokens + rows.lowerBound) * headSize, strideA: headSize,
              part.keys + offset, strideB: headSize, scores, strideC: keyTile)
            if let bias {
              for row in 0..<count {
                let line = scores + row * keyTile
                let position = (head % heads * tokens + rows.lowerBound + row) * keyCount + firstKey + first
                kernels.combine(line, line, 1, bias + position, Float(M_LOG2E), columns)
              }
            }
            kernels.online_softmax(scores, count, columns, keyTile, maxima, sums, accumulated, headSize)
            BLAS.multiply(
              count, headSize, columns, scores, strideA: keyTile, part.values + offset, strideB: headSize,
              transposedB: false, beta: 1, accumulated, strideC: headSize)
          }
          firstKey += part.tokens
        }
        let rowLength = heads * headSize
        for row in 0..<count {
          let target =
            output + ((head / heads) * tokens + rows.lowerBound + row) * rowLength + (head % heads) * headSize
          kernels.affine(target, accumulated + row * headSize, 1 / sums[row], 0, headSize)
        }
      }
    }
  }
}
