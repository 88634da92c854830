import CKernels
import Foundation
import TestSupport
import Testing

@Suite("Attention kernels")
struct AttentionStripTests {
  /// A strip of queries `[size, width]` that attends tile by tile; what it is given is transposed.
  private struct Strip {
    let table: KernelTable
    let size: Int
    let width: Int
    let queries: [Float]
    let scale: Float
    var output: [Float]
    var maxima: [Float]
    var sums: [Float]

    init(_ table: KernelTable, size: Int, width: Int, queries: [Float], scale: Float = 1) {
      (self.table, self.size, self.width, self.queries, self.scale) = (table, size, width, queries, scale)
      output = [Float](repeating: 0, count: size * width)
      maxima = [Float](repeating: -.infinity, count: width)
      sums = [Float](repeating: 0, count: width)
    }

    mutating func attend(_ keys: [Float], _ values: [Float], bias: [Float]?, tiles: [Int]) {
      var first = 0
      for count in tiles {
        let end = first + count
        let tileBias = bias.map { Array($0[first * width..<end * width]) }
        let (keys, values) = (Array(keys[first * size..<end * size]), Array(values[first * size..<end * size]))
        output.withUnsafeMutableBufferPointer { output in
          maxima.withUnsafeMutableBufferPointer { maxima in
            sums.withUnsafeMutableBufferPointer { sums in
              queries.withUnsafeBufferPointer { queries in
                // Arrays with elements have addresses.
                var strip = vap_query_strip(
                  queries: queries.baseAddress!, output: output.baseAddress!, maxima: maxima.baseAddress!,
                  sums: sums.baseAddress!, size: size, width: width, scale: scale)
                _ = writingFloats(count * width) { scores in
                  if let tileBias {
                    table.kernels.attend(&strip, keys, values, count, tileBias, scores)
                  } else {
                    table.kernels.attend(&strip, keys, values, count, nil, scores)
                  }
                }
              }
            }
          }
        }
        first = end
      }
    }

    /// Row by row of queries.
    var result: [Float] {
      (0..<width).flatMap { query in (0..<size).map { output[$0 * width + query] / sums[query] } }
    }
  }

  private func transposed(_ values: [Float], rows: Int) -> [Float] {
    let columns = values.count / rows
    return (0..<columns).flatMap { column in (0..<rows).map { values[$0 * columns + column] } }
  }

  @Test("Strips of any width agree with the softmax of all scores", arguments: KernelTable.all, [1, 6, 16, 17, 64])
  func definition(table: KernelTable, size: Int) {
    let kernels = table.kernels
    for width in stride(from: kernels.lanes, through: kernels.strip_queries, by: kernels.lanes) {
      for keys in [1, 5, 6, 7, 47] {
        let queries = normals(width * size, seed: 1)
        let (keyRows, values) = (normals(keys * size, seed: 2), normals(keys * size, seed: 3))
        let bias = normals(width * keys, seed: 4)
        for bias in [nil, bias] {
          var strip = Strip(table, size: size, width: width, queries: transposed(queries, rows: width), scale: 0.75)
          strip.attend(keyRows, values, bias: bias.map { transposed($0, rows: width) }, tiles: [keys])
          let expected = Oracle.attention(
            queries: queries.map(Double.init), keys: keyRows.map(Double.init), values: values.map(Double.init),
            size: size, scale: 0.75 * log(2), bias: bias?.map { Double($0) * 0.75 * log(2) })
          // Logits of up to 30 carry errors of their size into the exponential.
          expectRow(strip.result, expected, absolute: 1e-5, relative: 1e-5, "\(width) x \(keys)")
        }
      }
    }
  }

  @Test(
    "Tile after tile gives the result of one tile", arguments: KernelTable.all,
    [[1, 49], [17, 33], [5, 5, 5, 35], [16, 16, 16, 2], [32, 1, 17]])
  func tiles(table: KernelTable, tiles: [Int]) {
    let (size, width) = (8, table.kernels.lanes)
    let (queries, keys, values) = (
      normals(size * width, seed: 1), normals(50 * size, seed: 2), normals(50 * size, seed: 3)
    )
    var (parts, whole) = (
      Strip(table, size: size, width: width, queries: queries), Strip(table, size: size, width: width, queries: queries)
    )
    parts.attend(keys, values, bias: nil, tiles: tiles)
    whole.attend(keys, values, bias: nil, tiles: [50])
    #expect(parts.maxima == whole.maxima)
    expectRow(parts.result, whole.result.map(Double.init), absolute: 1e-6, relative: 1e-6)
  }

  /// A strip whose logits are the bias: queries of zero, values of one column.
  private func biased(_ table: KernelTable, _ logits: [Float], values: [Float], tiles: [Int]) -> Strip {
    let width = table.kernels.lanes
    var strip = Strip(table, size: 1, width: width, queries: [Float](repeating: 0, count: width))
    strip.attend(
      normals(logits.count), values, bias: logits.flatMap { [Float](repeating: $0, count: width) }, tiles: tiles)
    return strip
  }

  @Test("Tiles that are masked altogether add nothing, before and after visible ones", arguments: KernelTable.all)
  func maskedTiles(table: KernelTable) {
    let masked = [Float](repeating: -.infinity, count: 20)
    let logits = masked + [1, 0] + masked + [-.infinity, 0] + masked
    let values = normals(logits.count)
    let strip = biased(table, logits, values: values, tiles: [20, 2, 20, 2, 20])
    // Powers 2, 1, 1 against a maximum of 1.
    #expect(strip.sums.allSatisfy { $0 == 2 })
    let expected = (2 * values[20] + values[21] + values[43]) / 4
    #expect(strip.result.allSatisfy { abs($0 - expected) < 1e-6 })
  }

  @Test("Logits far below the largest vanish exactly, and no difference overflows", arguments: KernelTable.all)
  func range(table: KernelTable) {
    let strip = biased(table, [-3e38, 3e38, 0, 1e38, -3e38], values: [1, 2, 3, 4, 5], tiles: [1, 2, 2])
    #expect(strip.sums.allSatisfy { $0 == 1 })
    #expect(strip.result.allSatisfy { $0 == 2 })
  }

  @Test("NaN among the logits is not lost", arguments: KernelTable.all)
  func invalid(table: KernelTable) {
    for position in [0, 19, 20, 30] {
      var logits = normals(40)
      logits[position] = .nan
      #expect(biased(table, logits, values: normals(40), tiles: [20, 20]).result.allSatisfy { $0.isNaN })
    }
  }

  @Test("Transposition with strides", arguments: KernelTable.all)
  func transposition(table: KernelTable) {
    let input = normals(3 * 7)
    let found = writingFloats(5 * 4) { output in
      table.kernels.transpose(output, 4, input, 7, 2, 3, 5)
    }
    let expected: [Float] = (0..<5).flatMap { column in (0..<4).map { $0 < 3 ? 2 * input[$0 * 7 + column] : 9 } }
    #expect(found == expected)
  }
}
