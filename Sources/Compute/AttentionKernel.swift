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
/// A tile of scores is the largest thing in memory; the full score matrix never exists. Measurements that led here are
/// in scripts/bench/NOTES.md.
package enum AttentionKernel {
  /// Queries that share a tile of keys while it is in cache.
  private static let queryBlock = 512
  private static let keyTile = 256

  /// - Parameters:
  ///   - queries: `[batch x heads, tokens, headSize]`, dense.
  ///   - scale: factor of the scores, positive.
  ///   - bias: `[heads, tokens, all keys]` added to the scores after scaling, the parts' keys side by side.
  ///   - output: `[batch, tokens, heads x headSize]`, dense: heads side by side, as the output projection reads them.
  ///   - logSums: `[batch x heads, tokens]`, gets the base-2 logarithm of each query's sum of powers 2^(score log2 e), from
  ///     which a backward pass has the probabilities again.
  package static func apply(
    queries: UnsafePointer<Float>, tokens: Int, batch: Int, heads: Int, headSize: Int, parts: [AttentionPart],
    scale: Float, bias: UnsafePointer<Float>? = nil, output: UnsafeMutablePointer<Float>,
    logSums: UnsafeMutablePointer<Float>? = nil
  ) {
    precondition(scale > 0, "attention scores scaled by \(scale)")
    let blocks = Tiling(count: tokens, limit: queryBlock, multiple: kernels.strip_queries)
    let keyCount = parts.reduce(0) { $0 + $1.tokens }
    // Sound: blocks write disjoint rows of the output and only read everything else.
    nonisolated(unsafe) let (queries, parts, bias, output) = (queries, parts, bias, output)
    nonisolated(unsafe) let logSums = logSums
    Workers.forEach(batch * heads * blocks.tiles) { tile in
      let (head, rows) = (tile / blocks.tiles, blocks[tile % blocks.tiles])
      let firstQuery = head * tokens + rows.lowerBound
      let biasRow = head % heads * tokens + rows.lowerBound
      let place = (head / heads * tokens + rows.lowerBound) * heads + head % heads
      let block = QueryBlock(
        queries: queries + firstQuery * headSize, count: rows.count, headSize: headSize,
        bias: bias.map { $0 + biasRow * keyCount }, biasStride: keyCount)
      block.attend(
        to: parts.map { part in
          let offset = head * part.tokens * headSize
          return AttentionPart(keys: part.keys + offset, values: part.values + offset, tokens: part.tokens)
        }, scale: scale, keyTile: keyTile, output: output + place * headSize, outputStride: heads * headSize,
        logSums: logSums.map { $0 + firstQuery })
    }
  }
}

/// Neighbouring queries of one head.
private struct QueryBlock {
  /// `[count, headSize]`
  let queries: UnsafePointer<Float>
  let count: Int
  let headSize: Int
  /// `[count, all keys]`, rows `biasStride` apart.
  let bias: UnsafePointer<Float>?
  let biasStride: Int

  /// - Parameters:
  ///   - parts: this head's keys and values.
  ///   - output: `[count, headSize]`, rows `outputStride` apart.
  ///   - logSums: `[count]`
  func attend(
    to parts: [AttentionPart], scale: Float, keyTile: Int, output: UnsafeMutablePointer<Float>, outputStride: Int,
    logSums: UnsafeMutablePointer<Float>?
  ) {
    let strips = Tiling(count: count, limit: kernels.strip_queries, multiple: kernels.lanes)
    let widest = strips.size
    let stripFloats = widest * (2 * headSize + 2)
    withScratch(2 * keyTile * widest + strips.tiles * stripFloats) { scratch in
      let biases = scratch + keyTile * widest
      let states = biases + keyTile * widest
      let all = (0..<strips.tiles).map { makeStrip(strips[$0], at: states + $0 * stripFloats, scale) }
      var firstKey = 0
      for part in parts {
        for first in stride(from: 0, to: part.tokens, by: keyTile) {
          let keys = min(keyTile, part.tokens - first)
          for (index, strip) in all.enumerated() {
            let tileBias = bias.map { bias -> UnsafePointer<Float> in
              let rows = strips[index]
              biases.update(repeating: 0, count: keys * strip.width)
              kernels.transpose(
                biases, strip.width, bias + rows.lowerBound * biasStride + firstKey + first, biasStride, 1 / scale,
                rows.count, keys)
              return UnsafePointer(biases)
            }
            withUnsafePointer(to: strip) {
              kernels.attend(
                $0, part.keys + first * headSize, part.values + first * headSize, keys, tileBias, scratch)
            }
          }
        }
        firstKey += part.tokens
      }
      for (index, strip) in all.enumerated() {
        if let logSums {
          for query in 0..<strips[index].count {
            logSums[strips[index].lowerBound + query] = strip.scale * strip.maxima[query] + log2(strip.sums[query])
          }
        }
        write(strip, count: strips[index].count, to: output + strips[index].lowerBound * outputStride, outputStride)
      }
    }
  }

  private func makeStrip(_ rows: Range<Int>, at memory: UnsafeMutablePointer<Float>, _ scale: Float) -> vap_query_strip
  {
    let width = (rows.count + kernels.lanes - 1) / kernels.lanes * kernels.lanes
    let size = headSize * width
    let maxima = memory + 2 * size
    memory.update(repeating: 0, count: 2 * size)
    maxima.update(repeating: -.infinity, count: width)
    (maxima + width).update(repeating: 0, count: width)
    kernels.transpose(memory, width, queries + rows.lowerBound * headSize, headSize, 1, rows.count, headSize)
    return vap_query_strip(
      queries: memory, output: memory + size, maxima: maxima, sums: maxima + width, size: headSize, width: width,
      scale: scale * Float(M_LOG2E))
  }

  /// Divides by the sums of the weights, and turns columns back into rows.
  private func write(
    _ strip: vap_query_strip, count: Int, to output: UnsafeMutablePointer<Float>, _ outputStride: Int
  ) {
    for query in 0..<count { strip.sums[query] = 1 / strip.sums[query] }
    for row in 0..<headSize {
      let line = strip.output + row * strip.width
      kernels.multiply(line, line, strip.sums, strip.width)
    }
    kernels.transpose(output, outputStride, strip.output, strip.width, 1, headSize, count)
  }
}
