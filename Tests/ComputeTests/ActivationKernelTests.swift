import CKernels
import Compute
import TestSupport
import Testing

@Suite("Activation kernels")
struct ActivationKernelTests {
  private func activated(_ table: KernelTable, _ activation: Activation, _ input: [Float]) -> [Float] {
    writingFloats(input.count) { table.kernels.activate($0, input, activation.code, input.count) }
  }

  /// One value of every sign and exponent with seven leading bits, a fine grid where the functions bend, and the edges
  /// of the range in which exponentials are finite.
  private static let inputs: [Float] =
    (0...UInt32(0xFFFF)).map { Float(bitPattern: $0 << 16) }.filter(\.isFinite)
    + (-24_000...24_000).map { Float($0) * 1e-3 }
    + [87.33, 88.72, 88.73, 103.9, 104, 110, 127, 128].flatMap { [$0, -$0] }

  @Test("Values agree with the formulas over the whole range", arguments: KernelTable.all, Activation.allCases)
  func accuracy(table: KernelTable, activation: Activation) {
    let outputs = activated(table, activation, Self.inputs)
    for (x, y) in zip(Self.inputs, outputs) {
      let expected = activation.oracle(Double(x))
      if !Float(expected).isFinite { continue }  // The cubic overflows float64 for GELU only beyond 1e102.
      // Gates: relative, but that the power of a sigmoid overflows before its reciprocal is as good as 0.
      // For positive x errors are a few units in the last place of the result. For negative x 1 + erf cancels, so they
      // are units of x, until the result is as good as 0.
      let tolerance =
        Activation.gates.contains(activation)
        ? 5e-7 * abs(expected) + 1e-38
        : x > 0 ? 5e-7 * abs(expected) : x > -6 ? 2.4e-7 * abs(Double(x)) : 1e-8 + 6e-6 * abs(expected)
      guard !(abs(Double(y) - expected) <= tolerance + 1e-44) else { continue }
      Issue.record("\(activation)(\(x)) = \(y), expected \(expected)")
      return
    }
  }

  @Test("Exponential activations keep relative accuracy for negative inputs", arguments: KernelTable.all)
  func negativeAccuracy(table: KernelTable) {
    // x / (1 + e^z) does not cancel: the error is that of the exponent's argument, z 2^-24, and a few roundings.
    for (activation, range) in [(Activation.silu, 85.0), (.quickGELU, 50), (.geluTanh, 5)] {
      let inputs = (1...4000).map { -Float($0) * Float(range / 4000) }
      expectRow(
        activated(table, activation, inputs), inputs.map { activation.oracle(Double($0)) }, relative: 6e-6,
        "\(activation)")
    }
  }

  @Test("Zeros keep their sign, NaN stays NaN, infinities follow the formulas", arguments: KernelTable.all)
  func specialValues(table: KernelTable) {
    for activation in Activation.allCases {
      let found = activated(table, activation, [0, -0.0, .nan, -.nan, .infinity, -.infinity])
      #expect(found[2].isNaN && found[3].isNaN, "\(activation)")
      if activation == .sigmoid {
        #expect(found[0] == 0.5 && found[1] == 0.5 && found[4] == 1 && found[5] == 0)
        continue
      }
      #expect(found[0] == 0 && found[0].sign == .plus, "\(activation)")
      #expect(found[1] == 0 && found[1].sign == .minus, "\(activation)")
      #expect(found[4] == (activation == .tanh ? 1 : .infinity), "\(activation)")
      switch activation {
      case .identity: #expect(found[5] == -.infinity)
      case .relu: #expect(found[5] == 0)
      case .tanh: #expect(found[5] == -1)
      case .sigmoid: break
      // -inf times 0, as in the published implementations.
      case .geluTanh, .gelu, .silu, .quickGELU: #expect(found[5].isNaN, "\(activation)")
      }
    }
  }

  @Test("R06: subnormal inputs are halved or passed through", arguments: KernelTable.all)
  func subnormals(table: KernelTable) {
    let inputs = [1, 2, 3, 0x1234, 0x7F_FFFE].map { Float(bitPattern: $0) }.flatMap { [$0, -$0] }
    for activation in Activation.allCases where activation != .relu && activation != .sigmoid {
      let share: Double = activation == .identity || activation == .tanh ? 1 : 0.5
      // Half of the smallest steps may round either way.
      expectRow(
        activated(table, activation, inputs), inputs.map { Double($0) * share }, absolute: 1.5e-45, relative: 0,
        "\(activation)")
    }
  }

  @Test("Any row length and alignment gives the same bits", arguments: KernelTable.all, Activation.allCases)
  func lengths(table: KernelTable, activation: Activation) {
    let input = normals(300, seed: 5)
    let whole = activated(table, activation, input)
    for length in rowLengths {
      for start in 0..<3 {
        #expect(
          activated(table, activation, Array(input[start..<start + length])) == Array(whole[start..<start + length]))
      }
    }
  }

  @Test("Bias and activation apply to strided rows and leave the gaps alone", arguments: KernelTable.all)
  func biasedRows(table: KernelTable) {
    let (rows, stride) = (3, 80)
    for activation in Activation.allCases {
      for length in rowLengths where length <= stride {
        for usesBias in [true, false] {
          let (input, bias) = (normals(rows * stride, seed: 1), normals(length, seed: 2))
          let found = writingFloats(rows * stride) { target in
            target.update(from: input, count: input.count)
            bias.withUnsafeBufferPointer {
              table.kernels.bias_activate(
                target, rows, stride, usesBias ? $0.baseAddress : nil, activation.code, length)
            }
          }
          for row in 0..<rows {
            let line = row * stride..<row * stride + length
            let expected = line.map { index in
              activation.oracle(Double(usesBias ? input[index] + bias[index - line.lowerBound] : input[index]))
            }
            expectRow(Array(found[line]), expected, absolute: 5e-7, relative: 5e-7, "\(activation)")
            let gap = line.upperBound..<(row + 1) * stride
            #expect(found[gap] == input[gap])
          }
        }
      }
    }
  }
}
