import CKernels
import Foundation
import TestSupport
import Testing

@Suite("Softmax kernels")
struct SoftmaxKernelTests {
  private func softmax(_ table: KernelTable, _ row: [Float], bias: [Float]? = nil) -> [Float] {
    writingFloats(row.count) { target in
      target.update(from: row, count: row.count)
      guard let bias else { return table.kernels.softmax(target, nil, row.count) }
      bias.withUnsafeBufferPointer { table.kernels.softmax(target, $0.baseAddress, row.count) }
    }
  }

  @Test("Rows agree with the definition", arguments: KernelTable.all, rowLengths)
  func rows(table: KernelTable, count: Int) {
    let row = normals(count, seed: 1).map { 5 * $0 }
    let bias = normals(count, seed: 2)
    // The argument of the exponential carries the error of its size, up to 40 units in the last place of 1.
    expectRow(softmax(table, row), Oracle.softmax(row.map(Double.init)), absolute: 1e-9, relative: 3e-6)
    expectRow(
      softmax(table, row, bias: bias), Oracle.softmax(zip(row, bias).map { Double($0 + $1) }), absolute: 1e-9,
      relative: 3e-6)
  }

  @Test("Large values do not overflow and far smaller ones vanish", arguments: KernelTable.all)
  func range(table: KernelTable) {
    let found = softmax(table, [3e38, 3e38, -3e38, 0, 1e38])
    #expect(found == [0.5, 0.5, 0, 0, 0])
  }

  @Test("Masked values get exactly nothing, in any lane", arguments: KernelTable.all)
  func masked(table: KernelTable) {
    for count in [3, 16, 37] {
      for position in 0..<count {
        var row = [Float](repeating: -.infinity, count: count)
        row[position] = 2
        let found = softmax(table, row)
        #expect(found[position] == 1)
        #expect(found.indices.allSatisfy { $0 == position || found[$0] == 0 })
      }
    }
  }

  @Test(
    "NaN anywhere makes the whole row NaN, and so does a row without anything to choose", arguments: KernelTable.all)
  func invalid(table: KernelTable) {
    for position in [0, 15, 16, 36] {
      var row = normals(37)
      row[position] = .nan
      #expect(softmax(table, row).allSatisfy { $0.isNaN })
    }
    #expect(softmax(table, [Float](repeating: -.infinity, count: 37)).allSatisfy { $0.isNaN })
  }

  /// Runs online softmax over the tiles of one row of base-2 logits, with values of one column.
  private func online(_ table: KernelTable, _ row: [Float], tiles: [Int], values: [Float]) -> (
    sum: Float, output: Float
  ) {
    var (maximum, sum, output) = (-Float.infinity, Float(0), Float(0))
    var first = 0
    for count in tiles {
      let powers = writingFloats(count) { target in
        row.withUnsafeBufferPointer { target.update(from: $0.baseAddress! + first, count: count) }
        table.kernels.online_softmax(target, 1, count, count, &maximum, &sum, &output, 1)
      }
      output += zip(powers, values[first...]).reduce(0) { $0 + $1.0 * $1.1 }
      first += count
    }
    return (sum, output)
  }

  @Test(
    "Tile after tile gives the whole row's result", arguments: KernelTable.all,
    [[50], [1, 49], [17, 33], [5, 5, 5, 35], [16, 16, 16, 2], [32, 1, 17]])
  func onlineTiles(table: KernelTable, tiles: [Int]) {
    let (row, values) = (normals(50, seed: 1).map { 4 * $0 }, normals(50, seed: 2))
    let weights = Oracle.softmax(row.map { Double($0) * log(2) })
    let expected = zip(weights, values).reduce(0) { $0 + $1.0 * Double($1.1) }
    let (sum, output) = online(table, row, tiles: tiles, values: values)
    #expect(abs(Double(output / sum) - expected) < 2e-6)
  }

  @Test("Tiles that are masked altogether add nothing, before and after visible ones", arguments: KernelTable.all)
  func maskedTiles(table: KernelTable) {
    let masked = [Float](repeating: -.infinity, count: 20)
    let row = masked + [1, 0] + masked + [-.infinity, 0] + masked
    let values = normals(row.count)
    let (sum, output) = online(table, row, tiles: [20, 2, 20, 2, 20], values: values)
    // Powers 2, 1, 1 against a maximum of 1.
    #expect(sum == 2)
    let expected = (2 * values[20] + values[21] + values[43]) / 4
    #expect(abs(output / sum - expected) < 1e-6)
  }

  @Test("Scores of NaN are not lost", arguments: KernelTable.all)
  func onlineNaN(table: KernelTable) {
    for position in [0, 19, 20, 30] {
      var row = normals(40)
      row[position] = .nan
      #expect(online(table, row, tiles: [20, 20], values: normals(40)).sum.isNaN)
    }
  }
}
