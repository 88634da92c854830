import Compute

/// Resizes planes of floats as PyTorch's `interpolate(mode: "bicubic", align_corners: false)` does: Keys' cubic with
/// a = -0.75 over four neighbours, no antialiasing, edges repeated. Results may leave the range of the input.
package struct PlanarBicubic: Sendable {
  package let input: FrameSize
  package let output: FrameSize
  private let columns: [Tap]
  private let rows: [Tap]

  /// The four source positions and weights of one output position.
  private struct Tap {
    let positions: SIMD4<Int>
    let weights: SIMD4<Float>
  }

  /// Sizes must be positive.
  package init(from input: FrameSize, to output: FrameSize) {
    precondition(input.pixelCount > 0 && output.pixelCount > 0, "cannot resize \(input) to \(output)")
    self.input = input
    self.output = output
    columns = Self.taps(from: input.width, to: output.width)
    rows = Self.taps(from: input.height, to: output.height)
  }

  /// Resizes `planeCount` planes: `[planeCount, H, W]` of `input` to `[planeCount, H, W]` of `output`, row-major.
  package func resize(_ planes: [Float], planeCount: Int) -> [Float] {
    precondition(
      planes.count == planeCount * input.pixelCount, "\(planes.count) values are no \(planeCount) x \(input)")
    let count = planeCount * output.pixelCount
    return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      // Sound to share: tiles read constants and each writes its own planes.
      nonisolated(unsafe) let buffer = buffer
      planes.withUnsafeBufferPointer { source in
        nonisolated(unsafe) let source = source
        Workers.forEach(planeCount) { plane in
          resizePlane(
            source.baseAddress! + plane * input.pixelCount, buffer.baseAddress! + plane * output.pixelCount)
        }
      }
      initialized = count
    }
  }

  private func resizePlane(_ source: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>) {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: input.height * output.width) { narrowed in
      for y in 0..<input.height {
        let line = source + y * input.width
        for x in 0..<output.width {
          let tap = columns[x]
          narrowed[y * output.width + x] =
            tap.weights[0] * line[tap.positions[0]] + tap.weights[1] * line[tap.positions[1]]
            + tap.weights[2] * line[tap.positions[2]] + tap.weights[3] * line[tap.positions[3]]
        }
      }
      for y in 0..<output.height {
        let tap = rows[y]
        for x in 0..<output.width {
          let value =
            tap.weights[0] * narrowed[tap.positions[0] * output.width + x]
            + tap.weights[1] * narrowed[tap.positions[1] * output.width + x]
            + tap.weights[2] * narrowed[tap.positions[2] * output.width + x]
            + tap.weights[3] * narrowed[tap.positions[3] * output.width + x]
          result[y * output.width + x] = value
        }
      }
    }
  }

  private static func taps(from inputCount: Int, to outputCount: Int) -> [Tap] {
    let scale = Float(inputCount) / Float(outputCount)
    let a: Float = -0.75
    func near(_ x: Float) -> Float { ((a + 2) * x - (a + 3)) * x * x + 1 }
    func far(_ x: Float) -> Float { ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
    return (0..<outputCount).map { index in
      let center = scale * (Float(index) + 0.5) - 0.5
      let base = min(Int(center.rounded(.down)), inputCount - 1)
      let t = min(max(center - Float(base), 0), 1)
      return Tap(
        positions: SIMD4((-1...2).map { min(max(base + $0, 0), inputCount - 1) }),
        weights: SIMD4(far(t + 1), near(t), near(1 - t), far(2 - t)))
    }
  }
}
