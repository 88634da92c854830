import CKernels

/// What happens to each pixel on its way into a convolution: normalisation, then activation.
package struct PixelMap {
  package enum Norm {
    /// (x scale + offset) factor + addend, with `scale` and `offset` per channel `[C]`.
    case affine(scale: UnsafePointer<Float>, offset: UnsafePointer<Float>, modulation: Modulation?)
    /// x / sqrt(mean over channels of x^2 + epsilon) weight, with a weight per channel `[C]`.
    case rms(weight: UnsafePointer<Float>, epsilon: Float)
  }

  package let norm: Norm
  package let activation: Activation

  /// Factors and addends per pixel at a lower resolution, `[f, h, w, C]`, read by nearest pixel.
  package struct Modulation {
    package let factors: UnsafePointer<Float>
    package let addends: UnsafePointer<Float>
    package let height: Int
    package let width: Int
    /// The frame of `factors` and `addends` that belongs to each frame.
    package let frames: [Int]

    package init(
      factors: UnsafePointer<Float>, addends: UnsafePointer<Float>, height: Int, width: Int, frames: [Int]
    ) {
      self.factors = factors
      self.addends = addends
      self.height = height
      self.width = width
      self.frames = frames
    }
  }

  package init(norm: Norm, activation: Activation) {
    self.norm = norm
    self.activation = activation
  }

  fileprivate var modulation: Modulation? { if case .affine(_, _, let modulation) = norm { modulation } else { nil } }
}

/// What stands for the frames before the first of a clip.
package enum TemporalPadding: Sendable {
  case firstFrame
  case zeros
}

/// Reads rectangles of a channels-last clip, mapped and with zeros around its edges.
///
/// Convolutions read their input through it, so that the mapped clip never exists as a whole.
package struct PixelReader {
  private let frames: UnsafePointer<Float>
  private let previous: UnsafePointer<Float>?
  private let padding: TemporalPadding
  private let map: PixelMap?
  private let rowOf: [Int]
  private let columnOf: [Int]
  let frameCount: Int
  let height: Int
  let width: Int
  let channels: Int

  /// - Parameters:
  ///   - frames: `[F, H, W, C]`, dense.
  ///   - previous: frames -2 and -1, `[2, H, W, C]`, already mapped; `padding` stands in for them if they are not given.
  package init(
    frames: UnsafePointer<Float>, frameCount: Int, height: Int, width: Int, channels: Int,
    previous: UnsafePointer<Float>? = nil, padding: TemporalPadding = .firstFrame, map: PixelMap? = nil
  ) {
    self.frames = frames
    self.frameCount = frameCount
    self.height = height
    self.width = width
    self.channels = channels
    self.previous = previous
    self.padding = padding
    self.map = map
    rowOf = map?.modulation.map { nearestIndices(from: $0.height, to: height) } ?? []
    columnOf = map?.modulation.map { nearestIndices(from: $0.width, to: width) } ?? []
  }

  /// Writes the pixels of `rows` and `columns` of a frame, which may be one of the two before the first and may reach
  /// beyond the frame's edges.
  ///
  /// - Parameter output: `[rows, columns, C]`.
  package func read(frame: Int, rows: Range<Int>, columns: Range<Int>, into output: UnsafeMutablePointer<Float>) {
    let inside = columns.clamped(to: 0..<width)
    for (line, row) in rows.enumerated() {
      let target = output + line * columns.count * channels
      guard row >= 0, row < height else {
        target.update(repeating: 0, count: columns.count * channels)
        continue
      }
      let left = (inside.lowerBound - columns.lowerBound) * channels
      let right = left + inside.count * channels
      target.update(repeating: 0, count: left)
      (target + right).update(repeating: 0, count: columns.count * channels - right)
      readRow(frame: frame, row: row, columns: inside, into: target + left)
    }
  }

  private func readRow(frame: Int, row: Int, columns: Range<Int>, into output: UnsafeMutablePointer<Float>) {
    if frame < 0, let previous {
      let source = previous + (((frame + 2) * height + row) * width + columns.lowerBound) * channels
      output.update(from: source, count: columns.count * channels)
      return
    }
    if frame < 0, padding == .zeros {
      output.update(repeating: 0, count: columns.count * channels)
      return
    }
    let frame = max(0, frame)
    let source = frames + ((frame * height + row) * width + columns.lowerBound) * channels
    guard let map else {
      output.update(from: source, count: columns.count * channels)
      return
    }
    switch map.norm {
    case .affine(let scale, let offset, nil):
      for index in 0..<columns.count {
        kernels.channel_affine(
          output + index * channels, source + index * channels, scale, offset, nil, nil, map.activation.code, channels)
      }
    case .affine(let scale, let offset, let modulation?):
      let line = (modulation.frames[frame] * modulation.height + rowOf[row]) * modulation.width
      for (index, column) in columns.enumerated() {
        let place = (line + columnOf[column]) * channels
        kernels.channel_affine(
          output + index * channels, source + index * channels, scale, offset, modulation.factors + place,
          modulation.addends + place, map.activation.code, channels)
      }
    case .rms(let weight, let epsilon):
      for index in 0..<columns.count {
        kernels.rms_norm(output + index * channels, source + index * channels, weight, epsilon, channels)
      }
      kernels.activate(output, output, map.activation.code, columns.count * channels)
    }
  }
}

/// The index of the nearest of `source` places for each of `target` places, as PyTorch's nearest interpolation rounds.
package func nearestIndices(from source: Int, to target: Int) -> [Int] {
  let scale = Float(source) / Float(target)
  return (0..<target).map { min(source - 1, Int(Float($0) * scale)) }
}
