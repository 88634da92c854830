import CKernels
import Compute
import Testing

/// A table of row kernels that this processor can run.
struct KernelTable: CustomTestStringConvertible, Sendable {
  let kernels: vap_kernels
  var testDescription: String { String(cString: kernels.name) }

  /// All of them: each is compared with the scalar definitions, and thereby with each other.
  static let all = ["generic", "AVX2", "AVX512"].compactMap { (name: String) in
    vap_kernels_named(name).map { KernelTable(kernels: $0.pointee) }
  }
}

/// Runs a kernel on a buffer with room on both sides and checks that it wrote into its `count` values only.
func writing<Element: Equatable>(
  _ count: Int, filledWith filler: Element, _ kernel: (UnsafeMutablePointer<Element>) -> Void,
  sourceLocation: SourceLocation = #_sourceLocation
) -> [Element] {
  let margin = 32
  var buffer = [Element](repeating: filler, count: count + 2 * margin)
  buffer.withUnsafeMutableBufferPointer { kernel($0.baseAddress! + margin) }
  #expect(buffer.prefix(margin).allSatisfy { $0 == filler }, "written before the row", sourceLocation: sourceLocation)
  #expect(buffer.suffix(margin).allSatisfy { $0 == filler }, "written behind the row", sourceLocation: sourceLocation)
  return Array(buffer[margin..<margin + count])
}

func writingFloats(
  _ count: Int, sourceLocation: SourceLocation = #_sourceLocation, _ kernel: (UnsafeMutablePointer<Float>) -> Void
) -> [Float] {
  writing(count, filledWith: 9, kernel, sourceLocation: sourceLocation)
}

/// Row lengths around the vector widths (4, 8, 16) and their multiples.
let rowLengths = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 257]

/// Normal values, the same for the same arguments.
func normals(_ count: Int, seed: UInt64 = 0) -> [Float] {
  var generator = RandomGenerator(seed: seed)
  return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
    generator.drawNormals(into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
    initialized = count
  }
}

/// Expects `|found - expected| <= absolute + relative |expected|` for all elements.
func expectRow(
  _ found: [Float], _ expected: [Double], absolute: Double = 0, relative: Double, _ name: String = "row",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(found.count == expected.count, sourceLocation: sourceLocation)
  for (index, (value, wanted)) in zip(found, expected).enumerated() {
    guard !(abs(Double(value) - wanted) <= absolute + relative * abs(wanted)) else { continue }
    Issue.record(
      "\(name)[\(index)] of \(found.count): \(value), expected \(wanted), tolerance \(absolute) + \(relative) relative",
      sourceLocation: sourceLocation)
    return
  }
}
