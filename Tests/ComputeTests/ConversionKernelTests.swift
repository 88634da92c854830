import CKernels
import TestSupport
import Testing

@Suite("Conversions of 16-bit types")
struct ConversionKernelTests {
  private static let patterns = (0...UInt16.max).map { $0 }

  private func widened(
    _ kernel: (UnsafeMutablePointer<Float>, UnsafePointer<UInt16>, Int) -> Void, _ input: [UInt16]
  ) -> [Float] {
    writingFloats(input.count) { kernel($0, input, input.count) }
  }

  private func narrowed(
    _ kernel: (UnsafeMutablePointer<UInt16>, UnsafePointer<Float>, Int) -> Void, _ input: [Float]
  ) -> [UInt16] {
    writing(input.count, filledWith: 0xAAAA) { kernel($0, input, input.count) }
  }

  /// The value of a 16-bit float from its sign, exponent and fraction; nil for NaN.
  private static func value(_ bits: UInt16, fractionBits: Int) -> Double? {
    let exponentBits = 15 - fractionBits
    let fraction = Double(bits & (1 << fractionBits - 1)) / Double(1 << fractionBits)
    let exponent = Int(bits >> fractionBits) & (1 << exponentBits - 1)
    let sign: Double = bits >> 15 == 1 ? -1 : 1
    let bias = 1 << (exponentBits - 1) - 1
    if exponent == 1 << exponentBits - 1 { return fraction == 0 ? sign * .infinity : nil }
    let magnitude = exponent == 0 ? fraction : 1 + fraction
    return sign * magnitude * Double(sign: .plus, exponent: max(exponent, 1) - bias, significand: 1)
  }

  enum Format: CaseIterable {
    case bfloat16, float16
    var fractionBits: Int { self == .bfloat16 ? 7 : 10 }
    func widen(_ table: KernelTable) -> (UnsafeMutablePointer<Float>, UnsafePointer<UInt16>, Int) -> Void {
      self == .bfloat16 ? table.kernels.widen_bf16 : table.kernels.widen_f16
    }
    func narrow(_ table: KernelTable) -> (UnsafeMutablePointer<UInt16>, UnsafePointer<Float>, Int) -> Void {
      self == .bfloat16 ? table.kernels.narrow_bf16 : table.kernels.narrow_f16
    }
  }

  @Test("All 65,536 patterns widen to their value and narrow back", arguments: KernelTable.all, Format.allCases)
  func roundTrip(table: KernelTable, format: Format) {
    let floats = widened(format.widen(table), Self.patterns)
    let back = narrowed(format.narrow(table), floats)
    for (bits, (float, again)) in zip(Self.patterns, zip(floats, back)) {
      if let value = Self.value(bits, fractionBits: format.fractionBits) {
        guard Double(float) == value, (float.sign == .minus) == (bits >> 15 == 1), again == bits else {
          Issue.record("pattern \(bits): \(float), back \(again)")
          return
        }
      } else {
        guard float.isNaN, Self.value(again, fractionBits: format.fractionBits) == nil, again >> 15 == bits >> 15 else {
          Issue.record("NaN pattern \(bits): \(float), back \(again)")
          return
        }
      }
    }
  }

  @Test("Between any two neighbours the nearest wins, and ties go to even", arguments: KernelTable.all, Format.allCases)
  func rounding(table: KernelTable, format: Format) throws {
    // All pairs of neighbours from 0 to the largest finite value, whose upper neighbour is infinity at its place.
    let infinity = (1 << (15 - format.fractionBits) - 1) << format.fractionBits as UInt16
    let lower = Array(0..<infinity)
    var inputs: [Float] = []
    var expected: [UInt16] = []
    for bits in lower {
      let low = try #require(Self.value(bits, fractionBits: format.fractionBits))
      // The distance to the next value is that to the one before, at the same exponent.
      let step: Double
      if bits + 1 < infinity {
        step = try #require(Self.value(bits + 1, fractionBits: format.fractionBits)) - low
      } else {
        step = low - (try #require(Self.value(bits - 1, fractionBits: format.fractionBits)))
      }
      let middle = Float(low + step / 2)
      guard Double(middle) == low + step / 2 else { continue }  // Half of bfloat16's smallest steps.
      inputs += [middle.nextDown, middle, middle.nextUp]
      expected += [bits, bits % 2 == 0 ? bits : bits + 1, bits + 1]
    }
    #expect(inputs.count > 3 * 30_000)
    #expect(narrowed(format.narrow(table), inputs) == expected)
    #expect(narrowed(format.narrow(table), inputs.map { -$0 }) == expected.map { $0 | 0x8000 })
  }

  @Test("Values beyond the range become infinite, NaN stays NaN with its sign", arguments: KernelTable.all)
  func extremes(table: KernelTable) {
    let inputs: [Float] = [
      .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .infinity, -.infinity, 0, -0.0, .leastNonzeroMagnitude,
      -.leastNonzeroMagnitude,
    ]
    #expect(narrowed(table.kernels.narrow_bf16, inputs) == [0x7F80, 0xFF80, 0x7F80, 0xFF80, 0, 0x8000, 0, 0x8000])
    #expect(narrowed(table.kernels.narrow_f16, inputs) == [0x7C00, 0xFC00, 0x7C00, 0xFC00, 0, 0x8000, 0, 0x8000])
    // Payloads in the low bits only, which narrowing drops.
    let nans = [0x7F80_0001, 0xFF80_0001, 0x7FFF_FFFF, 0xFFFF_FFFF].map { Float(bitPattern: $0) }
    for (kernel, fractionBits) in [(table.kernels.narrow_bf16, 7), (table.kernels.narrow_f16, 10)] {
      let found = narrowed(kernel, nans)
      #expect(found.allSatisfy { Self.value($0, fractionBits: fractionBits) == nil })
      #expect(found.map { $0 >> 15 } == [0, 1, 0, 1])
    }
  }

  @Test("Any count converts, also where no vector is full", arguments: KernelTable.all, rowLengths)
  func counts(table: KernelTable, count: Int) {
    let floats = normals(count)
    for format in Format.allCases {
      let whole = narrowed(format.narrow(table), floats)
      #expect(whole == floats.flatMap { narrowed(format.narrow(table), [$0]) })
      #expect(widened(format.widen(table), whole) == whole.flatMap { widened(format.widen(table), [$0]) })
    }
  }
}
