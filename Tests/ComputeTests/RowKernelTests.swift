import CKernels
import Compute
import Foundation
import TestSupport
import Testing

@Suite("Row kernels")
struct RowKernelTests {
  @Test("R06: element-wise kernels on every instruction set", arguments: KernelTable.all, rowLengths)
  func elementwise(table: KernelTable, count: Int) {
    let (a, b, c) = (normals(count, seed: 1), normals(count, seed: 2), normals(count, seed: 3))
    let (x, y, z) = (a.map(Double.init), b.map(Double.init), c.map(Double.init))
    let kernels = table.kernels
    #expect(writingFloats(count) { kernels.add($0, a, b, count) } == zip(a, b).map { $0 + $1 })
    #expect(writingFloats(count) { kernels.multiply($0, a, b, count) } == zip(a, b).map { $0 * $1 })
    // One rounding of each product at most; sums may cancel.
    expectRow(
      writingFloats(count) { kernels.combine($0, a, 1.5, b, -0.75, count) },
      zip(x, y).map { 1.5 * $0 - 0.75 * $1 }, absolute: 1e-6, relative: 2e-7)
    expectRow(
      writingFloats(count) { kernels.affine($0, a, 3, 0.25, count) }, x.map { $0 * 3 + 0.25 }, absolute: 1e-6,
      relative: 2e-7)
    expectRow(
      writingFloats(count) { kernels.add_gated($0, a, b, c, count) },
      (0..<count).map { x[$0] + z[$0] * y[$0] },
      absolute: 1e-6, relative: 2e-7)
  }

  @Test("Layer norm with every choice of weight, bias, scale and shift", arguments: KernelTable.all, rowLengths)
  func layerNorm(table: KernelTable, count: Int) {
    let input = normals(count, seed: 1)
    let vectors = (2..<6).map { normals(count, seed: $0) }
    let normed = Oracle.layerNorm(input.map(Double.init), epsilon: 1e-5)
    for choice in 0..<16 {
      func chosen(_ index: Int) -> [Float]? { choice >> index & 1 == 1 ? vectors[index] : nil }
      let found = writingFloats(count) { output in
        withOptionalPointers((0..<4).map(chosen)) {
          table.kernels.layer_norm(output, input, $0[0], $0[1], $0[2], $0[3], 1e-5, count)
        }
      }
      let expected = normed.indices.map { index in
        var y = normed[index]
        y *= Double(chosen(0)?[index] ?? 1)
        y += Double(chosen(1)?[index] ?? 0)
        y *= 1 + Double(chosen(2)?[index] ?? 0)
        return y + Double(chosen(3)?[index] ?? 0)
      }
      // Deviations of a few values from their mean cancel; epsilon keeps what remains bounded.
      expectRow(found, expected, absolute: count < 4 ? 2e-4 : 5e-6, relative: 1e-6, "choice \(choice)")
    }
  }

  @Test("Layer norm far from zero loses only the digits that the values lost", arguments: KernelTable.all)
  func layerNormOffset(table: KernelTable) {
    let input = normals(100).map { $0 + 1000 }
    let found = writingFloats(100) { table.kernels.layer_norm($0, input, nil, nil, nil, nil, 1e-5, 100) }
    expectRow(found, Oracle.layerNorm(input.map(Double.init), epsilon: 1e-5), absolute: 1e-4, relative: 0)
  }

  @Test("Layer norm of equal values is zero", arguments: KernelTable.all)
  func layerNormConstant(table: KernelTable) {
    let input = [Float](repeating: 0.5, count: 37)
    #expect(
      writingFloats(37) { table.kernels.layer_norm($0, input, nil, nil, nil, nil, 1e-5, 37) }
        .allSatisfy { $0 == 0 })
  }

  @Test("RMS norm", arguments: KernelTable.all, rowLengths)
  func rmsNorm(table: KernelTable, count: Int) {
    let (input, weight) = (normals(count, seed: 1), normals(count, seed: 2))
    let expected = Oracle.rmsNorm(input.map(Double.init), epsilon: 1e-6)
    expectRow(
      writingFloats(count) { table.kernels.rms_norm($0, input, nil, 1e-6, count) }, expected, relative: 1e-6)
    expectRow(
      writingFloats(count) { table.kernels.rms_norm($0, input, weight, 1e-6, count) },
      zip(expected, weight).map { $0 * Double($1) }, relative: 1e-6)
  }

  @Test("Channel moments add to what is there, in float64", arguments: KernelTable.all, [1, 3, 16, 37])
  func channelMoments(table: KernelTable, channels: Int) {
    let rows = 29
    let input = normals(rows * channels)
    var sums = [Double](repeating: 1, count: channels)
    var squares = [Double](repeating: 2, count: channels)
    table.kernels.channel_moments(&sums, &squares, input, rows, channels)
    for channel in 0..<channels {
      let column = (0..<rows).map { Double(input[$0 * channels + channel]) }
      #expect(abs(sums[channel] - 1 - column.reduce(0, +)) < 1e-12)
      #expect(abs(squares[channel] - 2 - column.reduce(0) { $0 + $1 * $1 }) < 1e-12)
    }
  }

  @Test("Channel products add to what is there, in float64", arguments: KernelTable.all, [1, 3, 16, 37])
  func channelProducts(table: KernelTable, channels: Int) {
    let rows = 29
    let (first, second) = (normals(rows * channels, seed: 1), normals(rows * channels, seed: 2))
    var sums = [Double](repeating: 1, count: channels)
    var products = [Double](repeating: 2, count: channels)
    table.kernels.channel_products(&sums, &products, first, second, rows, channels)
    for channel in 0..<channels {
      let places = (0..<rows).map { $0 * channels + channel }
      #expect(abs(sums[channel] - 1 - places.reduce(0.0) { $0 + Double(first[$1]) }) < 1e-12)
      #expect(abs(products[channel] - 2 - places.reduce(0.0) { $0 + Double(first[$1]) * Double(second[$1]) }) < 1e-12)
    }
  }

  @Test("Channel affine maps once or twice, then activates", arguments: KernelTable.all, rowLengths)
  func channelAffine(table: KernelTable, count: Int) {
    let v = (0..<5).map { normals(count, seed: UInt64($0)) }
    let x = v.map { $0.map(Double.init) }
    for activation in [Activation.identity, .silu] {
      expectRow(
        writingFloats(count) {
          table.kernels.channel_affine($0, v[0], v[1], v[2], nil, nil, activation.code, count)
        }, (0..<count).map { activation.oracle(x[0][$0] * x[1][$0] + x[2][$0]) }, absolute: 2e-6, relative: 1e-6)
      expectRow(
        writingFloats(count) { output in
          withOptionalPointers([v[3], v[4]]) {
            table.kernels.channel_affine(output, v[0], v[1], v[2], $0[0], $0[1], activation.code, count)
          }
        },
        (0..<count).map { activation.oracle((x[0][$0] * x[1][$0] + x[2][$0]) * x[3][$0] + x[4][$0]) },
        absolute: 5e-6, relative: 1e-6)
    }
  }

  @Test(
    "Pairs are rotated by their angle", arguments: KernelTable.all, rowLengths.filter { $0 % 2 == 0 } + [6, 66, 130])
  func rotation(table: KernelTable, count: Int) {
    let input = normals(count)
    let angles = (0..<count).map { Float($0 / 2) * 0.37 }
    let (cosines, sines) = (angles.map { Foundation.cos($0) }, angles.map { Foundation.sin($0) })
    let found = writingFloats(count) { table.kernels.rotate_pairs($0, input, cosines, sines, count) }
    expectRow(
      found,
      Oracle.rotated(input.map(Double.init), cosines: cosines.map(Double.init), sines: sines.map(Double.init)),
      absolute: 5e-7, relative: 2e-7)
    // In place, as attention uses it.
    let inPlace = writingFloats(count) {
      $0.update(from: input, count: count)
      table.kernels.rotate_pairs($0, $0, cosines, sines, count)
    }
    #expect(inPlace == found)
  }

  @Test("Strided elements of any size are copied", arguments: [1, 2, 4, 8], [1, 2, 3, 7, -1, 0])
  func stridedCopy(size: Int, stride: Int) {
    let count = 13
    let source = (0..<count * 8 * 8).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    let first = stride < 0 ? (count - 1) * size : 0
    let found = writing(count * size, filledWith: UInt8(0xAA)) { target in
      source.withUnsafeBytes { vap_copy_strided(target, $0.baseAddress! + first, stride, count, size) }
    }
    let expected = (0..<count).flatMap { index in
      let start = first + index * stride * size
      return Array(source[start..<start + size])
    }
    #expect(found == expected)
  }

  @Test("Tables are found by their own names only")
  func tableNames() {
    for name in ["generic", "AVX2", "AVX512"] {
      guard let table = vap_kernels_named(name) else { continue }
      #expect(String(cString: table.pointee.name) == name)
    }
    #expect(vap_kernels_named("generic") != nil)
    #expect(vap_kernels_named("avx512") == nil)
    #expect(vap_kernels_named("") == nil)
    #expect(vap_kernels_named(kernels.name) == vap_kernels_for_this_machine())
  }
}

/// Calls `body` with a pointer to each array, nil for absent ones.
private func withOptionalPointers<Result>(
  _ arrays: [[Float]?], _ body: ([UnsafePointer<Float>?]) -> Result
) -> Result {
  func next(_ rest: ArraySlice<[Float]?>, _ pointers: [UnsafePointer<Float>?]) -> Result {
    guard let first = rest.first else { return body(pointers) }
    guard let first else { return next(rest.dropFirst(), pointers + [nil]) }
    return first.withUnsafeBufferPointer { next(rest.dropFirst(), pointers + [$0.baseAddress]) }
  }
  return next(arrays[...], [])
}
