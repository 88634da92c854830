import CKernels
import Foundation

/// Where the gradients of one part go, in the layout of `AttentionPart`; nil where nobody needs them.
package struct AttentionPartGradient {
  package let keys: UnsafeMutablePointer<Float>?
  package let values: UnsafeMutablePointer<Float>?

  package init(keys: UnsafeMutablePointer<Float>?, values: UnsafeMutablePointer<Float>?) {
    self.keys = keys
    self.values = values
  }
}

/// The backward pass of `AttentionKernel`: probabilities are computed again per tile from each row's log-sum-exp (Dao et
/// al. 2022), so memory grows with tokens and not with their square.
///
/// As in the forward pass, tiles of scores stand transposed, `[key][query]`, with a strip of queries in the lanes of a few
/// vectors. One head is one unit of work: all its sums run in one order, whatever the number of threads.
package enum AttentionGradientKernel {
  /// Queries that share a tile of keys while it is in cache.
  private static let queryBlock = 256
  fileprivate static let keyTile = 256

  /// The operands of one backward pass.
  package struct Operands {
    /// `[batch x heads, tokens, headSize]`, dense.
    package let queries: UnsafePointer<Float>
    package let tokens: Int
    package let batch: Int
    package let heads: Int
    package let headSize: Int
    package let parts: [AttentionPart]
    package let scale: Float
    /// What the forward pass gave, and its gradient: `[batch, tokens, heads x headSize]`, dense.
    package let output: UnsafePointer<Float>
    /// The forward pass's `logSums`, `[batch x heads, tokens]`.
    package let logSums: UnsafePointer<Float>
    package let outputGradient: UnsafePointer<Float>

    package init(
      queries: UnsafePointer<Float>, tokens: Int, batch: Int, heads: Int, headSize: Int, parts: [AttentionPart],
      scale: Float, output: UnsafePointer<Float>, logSums: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>
    ) {
      self.queries = queries
      self.tokens = tokens
      self.batch = batch
      self.heads = heads
      self.headSize = headSize
      self.parts = parts
      self.scale = scale
      self.output = output
      self.logSums = logSums
      self.outputGradient = outputGradient
    }
  }

  /// - Parameters:
  ///   - queries: the gradient of the queries, in their layout, or nil if nobody needs it.
  ///   - parts: for each part of the operands; all gradients given must be zero at the start.
  package static func apply(
    _ operands: Operands, queries: UnsafeMutablePointer<Float>?, parts: [AttentionPartGradient]
  ) {
    // Sound: heads write disjoint parts of the gradients and only read everything else.
    nonisolated(unsafe) let (operands, queries, parts) = (operands, queries, parts)
    let blocks = Tiling(count: operands.tokens, limit: queryBlock, multiple: kernels.strip_queries)
    Workers.forEach(operands.batch * operands.heads) { head in
      let keys = zip(operands.parts, parts).map { KeyGradients($0, $1, head: head, headSize: operands.headSize) }
      for block in 0..<blocks.tiles {
        let strips = Tiling(count: blocks[block].count, limit: kernels.strip_queries, multiple: kernels.lanes)
        withScratch(GradientStrip.count(operands, strips) * strips.tiles + keyTile * operands.headSize) { scratch in
          let transposedKeys = scratch
          let all = (0..<strips.tiles).map { index in
            let first = blocks[block].lowerBound + strips[index].lowerBound
            return GradientStrip(
              operands, head: head, rows: first..<first + strips[index].count,
              at: scratch + keyTile * operands.headSize + index * GradientStrip.count(operands, strips))
          }
          for part in keys where queries != nil || part.isNeeded {
            part.add(all, scale: operands.scale, transposedKeys, queries: queries != nil)
          }
          if let queries {
            for strip in all { strip.writeQueryGradient(to: queries + head * operands.tokens * operands.headSize) }
          }
        }
      }
    }
  }
}

/// Some queries of one head with what their gradients are made of; `width` is their number in whole vectors.
private struct GradientStrip {
  let rows: Range<Int>
  let width: Int
  let size: Int
  /// `[headSize, width]`, columns without a query hold zeros.
  let queries: UnsafeMutablePointer<Float>
  let slopes: UnsafeMutablePointer<Float>
  /// Gradient of the queries, `[headSize, width]`.
  let gradient: UnsafeMutablePointer<Float>
  /// The same queries and output gradients as rows: panels of `[rows, columns]`.
  let queryPanels: UnsafeMutablePointer<Float>
  let slopePanels: UnsafeMutablePointer<Float>
  /// One per query.
  let logSums: UnsafeMutablePointer<Float>
  let products: UnsafeMutablePointer<Float>

  /// Floats of the widest of some strips.
  static func count(_ operands: AttentionGradientKernel.Operands, _ strips: Tiling) -> Int {
    let padded = (operands.headSize + kernels.lanes - 1) / kernels.lanes * kernels.lanes
    return strips.size * (3 * operands.headSize + 2 * padded + 2)
  }

  init(
    _ operands: AttentionGradientKernel.Operands, head: Int, rows: Range<Int>, at memory: UnsafeMutablePointer<Float>
  ) {
    self.rows = rows
    size = operands.headSize
    width = (rows.count + kernels.lanes - 1) / kernels.lanes * kernels.lanes
    let padded = (size + kernels.lanes - 1) / kernels.lanes * kernels.lanes
    queries = memory
    slopes = queries + size * width
    gradient = slopes + size * width
    queryPanels = gradient + size * width
    slopePanels = queryPanels + padded * width
    logSums = slopePanels + padded * width
    products = logSums + width

    let rowLength = operands.heads * size
    let (sample, place) = (head / operands.heads, head % operands.heads)
    let outputOffset = (sample * operands.tokens + rows.lowerBound) * rowLength + place * size
    let source = operands.queries + (head * operands.tokens + rows.lowerBound) * size
    let slopeSource = operands.outputGradient + outputOffset
    queries.update(repeating: 0, count: 3 * size * width)
    kernels.transpose(queries, width, source, size, 1, rows.count, size)
    kernels.transpose(slopes, width, slopeSource, rowLength, 1, rows.count, size)
    for columns in Self.panels(size) {
      let whole = (columns.count + kernels.lanes - 1) / kernels.lanes * kernels.lanes
      for row in 0..<rows.count {
        let target = columns.lowerBound * rows.count + row * whole
        (queryPanels + target).update(from: source + row * size + columns.lowerBound, count: columns.count)
        (slopePanels + target).update(from: slopeSource + row * rowLength + columns.lowerBound, count: columns.count)
      }
    }
    logSums.update(repeating: .infinity, count: width)
    logSums.update(from: operands.logSums + head * operands.tokens + rows.lowerBound, count: rows.count)
    products.update(repeating: 0, count: width)
    for row in 0..<rows.count {
      let (output, slope) = (operands.output + outputOffset + row * rowLength, slopeSource + row * rowLength)
      products[row] = Float((0..<size).reduce(0.0) { $0 + Double(output[$1]) * Double(slope[$1]) })
    }
  }

  /// Columns of a row of the head that a product takes at a time.
  static func panels(_ size: Int) -> [Range<Int>] {
    stride(from: 0, to: size, by: kernels.strip_queries).map { $0..<min(size, $0 + kernels.strip_queries) }
  }

  /// - Parameter target: of this head, `[tokens, headSize]`.
  func writeQueryGradient(to target: UnsafeMutablePointer<Float>) {
    kernels.transpose(target + rows.lowerBound * size, size, gradient, width, 1, size, rows.count)
  }
}

/// One head's keys and values of a part, and where their gradients go.
private struct KeyGradients {
  let part: AttentionPart
  let gradient: AttentionPartGradient
  let size: Int

  init(_ part: AttentionPart, _ gradient: AttentionPartGradient, head: Int, headSize: Int) {
    let offset = head * part.tokens * headSize
    self.part = AttentionPart(keys: part.keys + offset, values: part.values + offset, tokens: part.tokens)
    self.gradient = AttentionPartGradient(
      keys: gradient.keys.map { $0 + offset }, values: gradient.values.map { $0 + offset })
    size = headSize
  }

  var isNeeded: Bool { gradient.keys != nil || gradient.values != nil }

  /// Adds what some strips of queries bring to these gradients, and what these keys bring to the strips'.
  ///
  /// - Parameter transposedKeys: room for a tile, `[headSize, keyTile]`.
  func add(
    _ strips: [GradientStrip], scale: Float, _ transposedKeys: UnsafeMutablePointer<Float>, queries: Bool
  ) {
    let tile = AttentionGradientKernel.keyTile
    withScratch(2 * tile * kernels.strip_queries) { scores in
      let slopes = scores + tile * kernels.strip_queries
      for first in stride(from: 0, to: part.tokens, by: tile) {
        let count = min(tile, part.tokens - first)
        let keys = part.keys + first * size
        if queries { kernels.transpose(transposedKeys, tile, keys, size, 1, count, size) }
        for strip in strips {
          let width = strip.width
          kernels.multiply_panel(scores, width, keys, size, strip.queries, count, size, width, 0)
          kernels.multiply_panel(
            slopes, width, part.values + first * size, size, strip.slopes, count, size, width, 0)
          kernels.softmax_gradient(
            scores, slopes, count, width, strip.logSums, strip.products, scale * Float(M_LOG2E), scale)
          addRows(scores, strip.slopePanels, strip, count, to: gradient.values.map { $0 + first * size })
          addRows(slopes, strip.queryPanels, strip, count, to: gradient.keys.map { $0 + first * size })
          if queries {
            kernels.multiply_panel(strip.gradient, width, transposedKeys, tile, slopes, size, count, width, 1)
          }
        }
      }
    }
  }

  /// target += weights rows, for `[count, width]` weights and the strip's rows in panels.
  private func addRows(
    _ weights: UnsafePointer<Float>, _ panels: UnsafePointer<Float>, _ strip: GradientStrip, _ count: Int,
    to target: UnsafeMutablePointer<Float>?
  ) {
    guard let target else { return }
    for columns in GradientStrip.panels(size) {
      kernels.multiply_panel(
        target + columns.lowerBound, size, weights, strip.width, panels + columns.lowerBound * strip.rows.count, count,
        strip.rows.count, columns.count, 1)
    }
  }
}
