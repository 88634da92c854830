import Compute
import Foundation
import Tensors
import TestSupport
import Testing

@Suite("Attention")
struct AttentionTests {
  /// Naive attention over all parts, sample by sample and head by head.
  private func oracle(_ queries: Tensor, _ parts: [KeyValues], scale: Double, bias: Tensor? = nil) -> Tensor {
    let (batch, heads, tokens, size) = (queries.shape[0], queries.shape[1], queries.shape[2], queries.shape[3])
    var output = [Double](repeating: 0, count: batch * tokens * heads * size)
    for sample in 0..<batch {
      for head in 0..<heads {
        let rows = Oracle.attention(
          queries: queries[sample][head].doubles(), keys: parts.flatMap { $0.keys[sample][head].doubles() },
          values: parts.flatMap { $0.values[sample][head].doubles() }, size: size, scale: scale,
          bias: bias?[head].doubles())
        for token in 0..<tokens {
          for column in 0..<size {
            output[((sample * tokens + token) * heads + head) * size + column] = rows[token * size + column]
          }
        }
      }
    }
    return Tensor(rounding: output, shape: [batch, tokens, heads * size])
  }

  private func keyValues(_ shape: Shape, seed: UInt64) -> KeyValues {
    KeyValues(keys: .random(shape, seed: seed), values: .random(shape, seed: seed + 1))
  }

  struct Sizes: Sendable, CustomTestStringConvertible {
    let batch: Int, heads: Int, queries: Int, keys: [Int], headSize: Int
    var testDescription: String { "\(batch) x \(heads) heads of \(headSize), \(queries) queries, keys \(keys)" }
  }

  /// One token, odd sizes, more than one tile of 256 queries and of 512 keys, several parts.
  static let sizes = [
    Sizes(batch: 1, heads: 1, queries: 1, keys: [1], headSize: 1),
    Sizes(batch: 1, heads: 3, queries: 5, keys: [7], headSize: 10),
    Sizes(batch: 2, heads: 2, queries: 33, keys: [20, 1, 12], headSize: 17),
    Sizes(batch: 1, heads: 1, queries: 300, keys: [520], headSize: 8),
    Sizes(batch: 2, heads: 1, queries: 20, keys: [515, 30, 600], headSize: 6),
    Sizes(batch: 1, heads: 2, queries: 257, keys: [0, 9], headSize: 64),
  ]

  @Test("Agrees with the softmax of all scores", arguments: sizes, [true, false])
  func naive(sizes: Sizes, usesBias: Bool) {
    let queries = Tensor.random([sizes.batch, sizes.heads, sizes.queries, sizes.headSize], seed: 1)
    let parts = sizes.keys.enumerated().map { index, count in
      keyValues([sizes.batch, sizes.heads, count, sizes.headSize], seed: UInt64(10 * index + 2))
    }
    let bias = usesBias ? Tensor.random([sizes.heads, sizes.queries, sizes.keys.reduce(0, +)], seed: 99) : nil
    expectClose(
      queries.attending(to: parts, bias: bias),
      oracle(queries, parts, scale: 1 / Double(sizes.headSize).squareRoot(), bias: bias), absolute: 2e-6, relative: 1e-5
    )
    expectClose(
      queries.attending(to: parts, scale: 1, bias: bias), oracle(queries, parts, scale: 1, bias: bias), absolute: 5e-6,
      relative: 1e-5)
  }

  @Test("Several parts attend like one joined part")
  func parts() {
    let queries = Tensor.random([1, 2, 9, 8], seed: 1)
    let parts = [keyValues([1, 2, 30, 8], seed: 2), keyValues([1, 2, 11, 8], seed: 4)]
    let joined = KeyValues(
      keys: .concatenated(parts.map(\.keys), axis: 2), values: .concatenated(parts.map(\.values), axis: 2))
    expectClose(queries.attending(to: parts), queries.attending(to: [joined]), absolute: 1e-6)
  }

  @Test("Masked keys contribute nothing: neither some, nor whole tiles, nor the first ones", arguments: [0, 512, 540])
  func masked(firstVisible: Int) {
    let (tokens, keys) = (5, 560)
    let queries = Tensor.random([1, 1, tokens, 8], seed: 1)
    let all = keyValues([1, 1, keys, 8], seed: 2)
    let visible = firstVisible..<min(keys, firstVisible + 30)
    let row = (0..<keys).map { visible.contains($0) ? 0 : -Float.infinity }
    let mask = Tensor((0..<tokens).flatMap { _ in row }, shape: [1, tokens, keys])
    let part = KeyValues(keys: all.keys.sliced(2, visible), values: all.values.sliced(2, visible))
    let found = queries.attending(to: [all], bias: mask)
    expectClose(found, queries.attending(to: [part]), absolute: 1e-6)
    expectClose(found, oracle(queries, [all], scale: 1 / 8.0.squareRoot(), bias: mask), absolute: 2e-6)
  }

  @Test("A query that may see nothing has no defined result, and the others are not touched by it")
  func fullyMaskedQuery() {
    let queries = Tensor.random([1, 1, 3, 4], seed: 1)
    let all = keyValues([1, 1, 600, 4], seed: 2)
    let mask = Tensor(
      (0..<3).flatMap { row in [Float](repeating: row == 1 ? -.infinity : 0, count: 600) }, shape: [1, 3, 600])
    let found = queries.attending(to: [all], bias: mask)
    #expect(found[0][1].floats().allSatisfy { $0.isNaN })
    let free = queries.attending(to: [all])
    for row in [0, 2] { #expect(found[0][row].floats() == free[0][row].floats()) }
  }

  @Test("Scores far beyond the exponential's range give the largest key's value")
  func largeScores() {
    let queries = Tensor.filled([1, 1, 2, 4], with: 1000)
    let keys = Tensor([1, 1, 1, 1, 2, 2, 2, 2, -5, -5, -5, -5] as [Float], shape: [1, 1, 3, 4])
    let values = Tensor.random([1, 1, 3, 4])
    let found = queries.attending(to: [KeyValues(keys: keys, values: values)])
    for row in 0..<2 { #expect(found[0][row].floats() == values[0][0][1].floats()) }
  }

  @Test("Views of joined projections serve as queries, keys and values")
  func views() {
    let joined = Tensor.random([1, 6, 3, 2, 4], seed: 1)  // [B, N, kind, A, K]
    func part(_ kind: Int) -> Tensor { joined.sliced(2, kind..<kind + 1).reshaped([1, 6, 2, 4]).transposed(1, 2) }
    let found = part(0).attending(to: [KeyValues(keys: part(1), values: part(2))])
    let dense = part(0).dense().attending(to: [KeyValues(keys: part(1).dense(), values: part(2).dense())])
    #expect(found.floats() == dense.floats())
  }
}

@Suite("Heads")
struct HeadsTests {
  private let batch = 2
  private let tokens = 67
  private let heads = 3
  private let size = 10

  private func rotary(_ tokens: Int) -> RotaryTable {
    let angles = (0..<tokens).flatMap { token in (0..<size).map { Double(token) / Double(1 + $0 / 2) } }
    return RotaryTable(
      cosines: Tensor(rounding: angles.map { cos($0) }, shape: [tokens, size]),
      sines: Tensor(rounding: angles.map { sin($0) }, shape: [tokens, size]))
  }

  @Test("Splitting moves heads before tokens")
  func split() {
    let hidden = Tensor.random([batch, tokens, heads * size])
    #expect(
      hidden.splitIntoHeads(heads).floats()
        == hidden.reshaped([batch, tokens, heads, size]).transposed(1, 2).floats())
  }

  @Test("Heads are normalised, then tokens from the start on are rotated", arguments: [0, 7, 67], [true, false])
  func normedAndRotated(start: Int, usesNorm: Bool) {
    let hidden = Tensor.random([batch, tokens, heads * size], seed: 1)
    let norm = HeadNorm(weight: .random([size], seed: 2), bias: .random([size], seed: 3), epsilon: 1e-6)
    let table = rotary(tokens - start)
    let found = hidden.splitIntoHeads(heads, norm: usesNorm ? norm : nil, rotary: table, rotaryStart: start)
    let (weight, bias) = (norm.weight.doubles(), norm.bias.doubles())
    let (cosines, sines) = (table.cosines.doubles(), table.sines.doubles())
    let rows = hidden.splitIntoHeads(heads).doubles().rows(of: size)
    let expected = rows.enumerated().flatMap { index, row in
      var row = row
      if usesNorm { row = zip(Oracle.layerNorm(row, epsilon: 1e-6), zip(weight, bias)).map { $0 * $1.0 + $1.1 } }
      let token = index % tokens
      guard token >= start else { return row }
      let angles = (token - start) * size..<(token - start + 1) * size
      return Oracle.rotated(row, cosines: Array(cosines[angles]), sines: Array(sines[angles]))
    }
    expectClose(found, Tensor(rounding: expected, shape: [batch, heads, tokens, size]), absolute: 1e-5)
  }
}
