import Compute

extension VideoClip {
  /// Every frame resized to exactly `size`, whatever its shape: the same bytes as `Image.resize` of Pillow 13.
  ///
  /// As there, each direction is resampled on its own, with 8-bit results in between, and one whose length stays is left
  /// alone. Columns come first if they shrink by more than twice as many pixels as rows; earlier releases of Pillow
  /// always took rows first, which may differ in the last bit. Sizes must be positive.
  package func resized(to size: FrameSize, filter: ResampleFilter = .lanczos) -> VideoClip {
    precondition(size.width > 0 && size.height > 0, "cannot resize to \(size)")
    let columnsFirst = height > size.height && height - size.height > (width - size.width) * 2
    return columnsFirst
      ? resampledColumns(to: size.height, filter).resampledRows(to: size.width, filter)
      : resampledRows(to: size.width, filter).resampledColumns(to: size.height, filter)
  }

  /// Every frame with its shorter side at `length` and its shape kept, the longer side rounded down.
  package func resized(shortestSide length: Int, filter: ResampleFilter) -> VideoClip {
    precondition(length > 0, "cannot resize to \(length)")
    let size =
      width <= height
      ? FrameSize(width: length, height: length * height / width)
      : FrameSize(width: length * width / height, height: length)
    return resized(to: size, filter: filter)
  }

  private func resampledRows(to outputWidth: Int, _ filter: ResampleFilter) -> VideoClip {
    guard outputWidth != width else { return self }
    let weights = ResampleWeights(inputCount: width, outputCount: outputWidth, filter: filter)
    let rowCount = frameCount * height
    return VideoClip(
      size: FrameSize(width: outputWidth, height: height), frameCount: frameCount, frameRate: frameRate
    ) { output in
      // Sound to share: tiles read constants and each writes its own rows.
      nonisolated(unsafe) let output = output
      pixels.withUnsafeBufferPointer { input in
        nonisolated(unsafe) let input = input
        weights.weights.withUnsafeBufferPointer { kernel in
          nonisolated(unsafe) let kernel = kernel
          Workers.forEachBlock(of: 16, in: rowCount) { rows in
            for row in rows {
              resampleRow(
                input.baseAddress! + row * width * 3, output.baseAddress! + row * outputWidth * 3, weights,
                kernel.baseAddress!)
            }
          }
        }
      }
    }
  }

  private func resampledColumns(to outputHeight: Int, _ filter: ResampleFilter) -> VideoClip {
    guard outputHeight != height else { return self }
    let weights = ResampleWeights(inputCount: height, outputCount: outputHeight, filter: filter)
    let rowBytes = width * 3
    return VideoClip(
      size: FrameSize(width: width, height: outputHeight), frameCount: frameCount, frameRate: frameRate
    ) { output in
      // Sound to share, as above.
      nonisolated(unsafe) let output = output
      pixels.withUnsafeBufferPointer { input in
        nonisolated(unsafe) let input = input
        Workers.forEachBlock(of: 16, in: frameCount * outputHeight) { rows in
          for row in rows {
            let (frame, line) = row.quotientAndRemainder(dividingBy: outputHeight)
            let span = weights.spans[line]
            weights.weights.withUnsafeBufferPointer { kernel in
              resampleLine(
                input.baseAddress! + (frame * height + span.start) * rowBytes, output.baseAddress! + row * rowBytes,
                count: rowBytes, kernel.baseAddress! + line * weights.stride, taps: span.count)
            }
          }
        }
      }
    }
  }
}

/// One row of RGB pixels; `kernel` points to `weights.weights`.
private func resampleRow(
  _ input: UnsafePointer<UInt8>, _ output: UnsafeMutablePointer<UInt8>, _ weights: ResampleWeights,
  _ kernel: UnsafePointer<Int32>
) {
  for (position, span) in weights.spans.enumerated() {
    let taps = kernel + position * weights.stride
    let source = input + span.start * 3
    var (red, green, blue) = (half, half, half)
    for tap in 0..<span.count {
      red &+= Int32(source[tap &* 3]) &* taps[tap]
      green &+= Int32(source[tap &* 3 &+ 1]) &* taps[tap]
      blue &+= Int32(source[tap &* 3 &+ 2]) &* taps[tap]
    }
    output[position * 3] = clipped(red)
    output[position * 3 + 1] = clipped(green)
    output[position * 3 + 2] = clipped(blue)
  }
}

/// One output row of `count` bytes from `taps` rows of the same length that begin at `input`.
private func resampleLine(
  _ input: UnsafePointer<UInt8>, _ output: UnsafeMutablePointer<UInt8>, count: Int, _ kernel: UnsafePointer<Int32>,
  taps: Int
) {
  var index = 0
  while index + 16 <= count {
    var sums = SIMD16<Int32>(repeating: half)
    for tap in 0..<taps {
      let bytes = UnsafeRawPointer(input + tap * count + index).loadUnaligned(as: SIMD16<UInt8>.self)
      sums &+= SIMD16<Int32>(truncatingIfNeeded: bytes) &* kernel[tap]
    }
    let values = (sums &>> ResampleWeights.precision).clamped(lowerBound: .zero, upperBound: SIMD16(repeating: 255))
    UnsafeMutableRawPointer(output + index).storeBytes(
      of: SIMD16<UInt8>(truncatingIfNeeded: values), as: SIMD16<UInt8>.self)
    index += 16
  }
  while index < count {
    var sum = half
    for tap in 0..<taps { sum &+= Int32(input[tap * count + index]) &* kernel[tap] }
    output[index] = clipped(sum)
    index += 1
  }
}

/// One half in the weights' fixed point: makes the final shift round.
private let half: Int32 = 1 << (ResampleWeights.precision - 1)

private func clipped(_ sum: Int32) -> UInt8 {
  UInt8(truncatingIfNeeded: max(0, min(255, sum >> ResampleWeights.precision)))
}
