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
}
