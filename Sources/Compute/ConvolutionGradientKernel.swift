import CKernels

/// The backward passes of convolutions over channels-last clips, as matrix products over rows of pixels.
///
/// They serve every size of taps and every stride. The input's gradient of a convolution with 3 taps a side and stride 1
/// is itself one, with reversed taps, and is better left to `ConvolutionKernel`.
package enum ConvolutionGradientKernel {
  /// The gradient of a convolution's result, `[F, H, W, outputs]`, dense.
  package struct Pixels {
    package let start: UnsafePointer<Float>
    package let frames: Int
    package let height: Int
    package let width: Int
    package let channels: Int

    package init(start: UnsafePointer<Float>, frames: Int, height: Int, width: Int, channels: Int) {
      self.start = start
      self.frames = frames
      self.height = height
      self.width = width
      self.channels = channels
    }
  }

  // MARK: - Weights

  private static let tileColumns = 192
  private static let tileOutputs = 128
  /// Pixels of the result in a band.
  private static let bandPixels = 4096

  /// output[o, c, t, y, x] = sum over the gradient's pixels (f, r, p) of gradient[f, r, p, o] times
  /// input[f + t - (timeTaps - 1), r stride + y - top, p stride + x - left, c].
  ///
  /// Bands of rows are added in their order, whoever computes them.
  ///
  /// - Parameters:
  ///   - input: reads frames from -(timeTaps - 1) on, and zeros around the plane.
  ///   - output: `[outputs, C, timeTaps, height, width]` of the taps.
  package static func weight(
    _ gradient: Pixels, _ input: PixelReader, timeTaps: Int, _ taps: PlanarTaps, _ output: UnsafeMutablePointer<Float>
  ) {
    let bands = Tiling(count: gradient.height, limit: max(1, bandPixels / gradient.width), multiple: 1)
    let unfolding = Unfolding(taps: taps, width: gradient.width, channels: input.channels, bandRows: bands.size)
    let (outputs, columns, lines) = (gradient.channels, unfolding.columns, timeTaps * taps.height)
    let panels = Tiling(count: columns, limit: tileColumns, multiple: 16)
    let parts = Tiling(count: outputs, limit: tileOutputs, multiple: 16)
    withScratch(timeTaps * unfolding.count + lines * outputs * columns) { scratch in
      let sums = scratch + timeTaps * unfolding.count
      for frame in 0..<gradient.frames {
        for band in 0..<bands.tiles {
          let rows = bands[band]
          unfolding.read(input, frames: frame - timeTaps + 1...frame, rows: rows, into: scratch)
          let start = gradient.start + (frame * gradient.height + rows.lowerBound) * gradient.width * outputs
          // Sound: tasks write disjoint sums and only read everything else.
          nonisolated(unsafe) let (slopes, scratch, sums) = (start, scratch, sums)
          Workers.forEach(lines * parts.tiles * panels.tiles) { task in
            let line = task % lines
            let (part, panel) = (parts[task / lines % parts.tiles], panels[task / lines / parts.tiles])
            unfolding.multiply(
              slopes, outputs: outputs, part: part, rows: rows.count,
              scratch + line / taps.height * unfolding.count, tap: line % taps.height, panel: panel,
              adds: frame > 0 || band > 0, sums + line * outputs * columns)
          }
        }
      }
      reorder(sums, lines: lines, width: taps.width, outputs: outputs, inputs: input.channels, output)
    }
  }

  /// `[lines, outputs, width, inputs]` to `[outputs, inputs, lines, width]`.
  private static func reorder(
    _ sums: UnsafePointer<Float>, lines: Int, width: Int, outputs: Int, inputs: Int,
    _ result: UnsafeMutablePointer<Float>
  ) {
    nonisolated(unsafe) let (sums, result) = (sums, result)
    Workers.forEach(outputs) { output in
      for line in 0..<lines {
        let row = sums + (line * outputs + output) * width * inputs
        let target = result + (output * inputs * lines + line) * width
        for column in 0..<width {
          for input in 0..<inputs { target[input * lines * width + column] = row[column * inputs + input] }
        }
      }
    }
  }

  // MARK: - Inputs

  /// Rows of the input that one task computes.
  private static let rowBlock = 4

  /// The input's gradient of a planar convolution: the sum over taps of gradient times weight, put back where the taps
  /// read.
  ///
  /// - Parameter output: `[F, height, width, C]`.
  package static func input(
    _ gradient: Pixels, _ weight: ConvolutionWeight, _ taps: PlanarTaps, height: Int, width: Int,
    _ output: UnsafeMutablePointer<Float>
  ) {
    let (inputs, outputs, columns) = (weight.inputs, weight.outputs, taps.width * weight.inputs)
    withScratch(taps.height * outputs * columns) { matrices in
      // Sound: tasks write disjoint rows of the matrices, then of the output, and only read everything else.
      nonisolated(unsafe) let (gradient, weight, matrices, output) = (gradient, weight, matrices, output)
      // For each row of taps a matrix `[outputs, width of the taps x C]`.
      Workers.forEach(outputs) { row in
        weight.matrix.withRows(row..<row + 1) { values in
          for tap in 0..<taps.height * taps.width {
            let target = matrices + (tap / taps.width * outputs + row) * columns + tap % taps.width * inputs
            for input in 0..<inputs { target[input] = values[input * taps.height * taps.width + tap] }
          }
        }
      }
      let blocks = Tiling(count: height, limit: rowBlock, multiple: 1)
      Workers.forEach(gradient.frames * blocks.tiles) { task in
        let frame = task / blocks.tiles
        withScratch(gradient.width * columns) { products in
          for row in blocks[task % blocks.tiles] {
            let line = output + (frame * height + row) * width * inputs
            line.update(repeating: 0, count: width * inputs)
            for tap in 0..<taps.height {
              let place = row + taps.top - tap
              guard place >= 0, place % taps.stride == 0, place / taps.stride < gradient.height else { continue }
              BLAS.multiply(
                gradient.width, columns, outputs,
                gradient.start + (frame * gradient.height + place / taps.stride) * gradient.width * outputs,
                strideA: outputs, matrices + tap * outputs * columns, strideB: columns, transposedB: false, products,
                strideC: columns)
              add(products, pixels: gradient.width, taps, inputs, to: line, width: width)
            }
          }
        }
      }
    }
  }

  /// Adds `[pixels, width of the taps, C]` to a row of the input where the taps read.
  private static func add(
    _ products: UnsafePointer<Float>, pixels: Int, _ taps: PlanarTaps, _ channels: Int,
    to line: UnsafeMutablePointer<Float>, width: Int
  ) {
    for pixel in 0..<pixels {
      // The taps' pixels lie side by side in the input too; those beyond its edges are cut off.
      let first = pixel * taps.stride - taps.left
      let (start, end) = (max(first, 0), min(first + taps.width, width))
      guard start < end else { continue }
      let target = line + start * channels
      let source = products + (pixel * taps.width + start - first) * channels
      kernels.add(target, target, source, (end - start) * channels)
    }
  }
}

/// Rows of a convolution's input, each pixel of the result beside all pixels that a row of taps reads for it: then the
/// sum over pixels is a matrix product.
private struct Unfolding {
  let taps: PlanarTaps
  /// Pixels of a row of the result.
  let width: Int
  let channels: Int
  /// Most rows of the result in a band.
  let bandRows: Int

  /// Values beside each other for one pixel.
  var columns: Int { taps.width * channels }
  private var rowLength: Int { width * columns }
  /// Floats of one frame's band.
  var count: Int { rowCount(bandRows) * rowLength }

  /// Rows of the input that `rows` rows of the result read.
  private func rowCount(_ rows: Int) -> Int { (rows - 1) * taps.stride + taps.height }

  /// Reads the band that some rows of the result need, of each frame.
  func read(
    _ input: PixelReader, frames: ClosedRange<Int>, rows: Range<Int>, into bands: UnsafeMutablePointer<Float>
  ) {
    let lines = rowCount(rows.count)
    let pixelColumns = -taps.left..<(width - 1) * taps.stride + taps.width - taps.left
    let firstRow = rows.lowerBound * taps.stride - taps.top
    // Sound: tasks write disjoint rows.
    nonisolated(unsafe) let (input, bands) = (input, bands)
    Workers.forEachBlock(of: 4, in: frames.count * lines) { range in
      withScratch(pixelColumns.count * channels) { line in
        for index in range {
          let row = firstRow + index % lines
          input.read(
            frame: frames.lowerBound + index / lines, rows: row..<row + 1, columns: pixelColumns, into: line)
          let target = bands + index / lines * count + index % lines * rowLength
          for pixel in 0..<width {
            (target + pixel * columns).update(
              from: line + pixel * taps.stride * channels, count: columns)
          }
        }
      }
    }
  }

  /// sums = slopes' band, or sums += slopes' band, for one row of taps and a part of outputs and columns.
  ///
  /// - Parameters:
  ///   - slopes: `[rows, width, outputs]`. - band: as `read` made it. - sums: `[outputs, columns]`.
  func multiply(
    _ slopes: UnsafePointer<Float>, outputs: Int, part: Range<Int>, rows: Int, _ band: UnsafePointer<Float>, tap: Int,
    panel: Range<Int>, adds: Bool, _ sums: UnsafeMutablePointer<Float>
  ) {
    // With stride 1 the rows that one tap reads follow each other, and the product runs over all of them.
    let steps = taps.stride == 1 ? 1 : rows
    let pixels = rows / steps * width
    for step in 0..<steps {
      BLAS.multiply(
        part.count, panel.count, pixels, slopes + step * width * outputs + part.lowerBound, strideA: outputs,
        transposedA: true, band + (step * taps.stride + tap) * rowLength + panel.lowerBound, strideB: columns,
        transposedB: false, beta: adds || step > 0 ? 1 : 0, sums + part.lowerBound * columns + panel.lowerBound,
        strideC: columns)
    }
  }
}
