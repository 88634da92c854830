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
/// One head is one unit of work: all its sums run in one order, whatever the number of threads.
package enum AttentionGradientKernel {
  private static let queryTile = 256
  private static let keyTile = 512

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
    Workers.forEach(operands.batch * operands.heads) { head in
      for first in stride(from: 0, to: operands.tokens, by: queryTile) {
        let rows = first..<min(operands.tokens, first + queryTile)
        withScratch(rows.count * (2 * keyTile + 1)) { scratch in
          Tile(operands, head: head, rows: rows, scratch).apply(queries: queries, parts: parts)
        }
      }
    }
  }

  /// A block of query rows of one head.
  private struct Tile {
    let operands: Operands
    let head: Int
    let rows: Range<Int>
    /// `[rows, keyTile]`
    let scores: UnsafeMutablePointer<Float>
    let slopes: UnsafeMutablePointer<Float>
    /// One per row: the product of output and output gradient.
    let products: UnsafeMutablePointer<Float>

    init(_ operands: Operands, head: Int, rows: Range<Int>, _ scratch: UnsafeMutablePointer<Float>) {
      self.operands = operands
      self.head = head
      self.rows = rows
      scores = scratch
      slopes = scores + rows.count * keyTile
      products = slopes + rows.count * keyTile
    }

    private var rowLength: Int { operands.heads * operands.headSize }
    /// Where this tile's rows start in the queries and their gradient.
    private var queryOffset: Int { (head * operands.tokens + rows.lowerBound) * operands.headSize }
    /// Where they start in the output and its gradient.
    private var outputOffset: Int {
      let (sample, place) = (head / operands.heads, head % operands.heads)
      return (sample * operands.tokens + rows.lowerBound) * rowLength + place * operands.headSize
    }

    func apply(queries: UnsafeMutablePointer<Float>?, parts: [AttentionPartGradient]) {
      findProducts()
      for (part, gradient) in zip(operands.parts, parts) {
        guard queries != nil || gradient.keys != nil || gradient.values != nil else { continue }
        for first in stride(from: 0, to: part.tokens, by: keyTile) {
          let columns = min(keyTile, part.tokens - first)
          addGradients(
            part, columns, offset: (head * part.tokens + first) * operands.headSize, queries: queries, gradient)
        }
      }
    }

    private func findScores(_ part: AttentionPart, _ columns: Int, offset: Int) {
      BLAS.multiply(
        rows.count, columns, operands.headSize, alpha: operands.scale * Float(M_LOG2E),
        operands.queries + queryOffset, strideA: operands.headSize, part.keys + offset, strideB: operands.headSize,
        scores, strideC: keyTile)
    }

    private func findProducts() {
      for row in 0..<rows.count {
        let offset = outputOffset + row * rowLength
        var product = 0.0
        for column in 0..<operands.headSize {
          product += Double(operands.output[offset + column]) * Double(operands.outputGradient[offset + column])
        }
        products[row] = Float(product)
      }
    }

    private func addGradients(
      _ part: AttentionPart, _ columns: Int, offset: Int, queries: UnsafeMutablePointer<Float>?,
      _ gradient: AttentionPartGradient
    ) {
      let (count, size) = (rows.count, operands.headSize)
      let outputGradient = operands.outputGradient + outputOffset
      findScores(part, columns, offset: offset)
      BLAS.multiply(
        count, columns, size, outputGradient, strideA: rowLength, part.values + offset, strideB: size,
        slopes, strideC: keyTile)
      kernels.softmax_gradient(
        scores, slopes, count, columns, keyTile, operands.logSums + head * operands.tokens + rows.lowerBound, products)
      if let values = gradient.values {
        BLAS.multiply(
          columns, size, count, scores, strideA: keyTile, transposedA: true, outputGradient, strideB: rowLength,
          transposedB: false, beta: 1, values + offset, strideC: size)
      }
      if let keys = gradient.keys {
        BLAS.multiply(
          columns, size, count, alpha: operands.scale, slopes, strideA: keyTile, transposedA: true,
          operands.queries + queryOffset, strideB: size, transposedB: false, beta: 1, keys + offset, strideC: size)
      }
      if let queries {
        BLAS.multiply(
          count, size, columns, alpha: operands.scale, slopes, strideA: keyTile, part.keys + offset, strideB: size,
          transposedB: false, beta: 1, queries + queryOffset, strideC: size)
      }
    }
  }
}
