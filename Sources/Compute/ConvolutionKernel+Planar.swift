import CKernels

/// Where the taps of a convolution over planes lie.
package struct PlanarTaps: Sendable, Equatable {
  package let height: Int
  package let width: Int
  package let stride: Int
  /// Zero pixels above and left of the plane; those below and to the right follow from the size of the output.
  package let top: Int
  package let left: Int

  package init(height: Int, width: Int, stride: Int, top: Int, left: Int) {
    precondition(height > 0 && width > 0 && stride > 0 && top >= 0 && left >= 0, "taps \(height) x \(width)")
    self.height = height
    self.width = width
    self.stride = stride
    self.top = top
    self.left = left
  }

  /// Three taps a side over the plane as it is: what Winograd's filtering computes.
  var suitsWinograd: Bool { self == PlanarTaps(height: 3, width: 3, stride: 1, top: 1, left: 1) }
}

/// What is done to a convolution's sums before they are stored.
package enum PixelFinish {
  case activation(Activation)
  /// x where it is positive, x times the slope of its channel elsewhere.
  case slopes(UnsafePointer<Float>)

  /// Finishes `count` pixels of `channels.count` channels that lie `stride` apart.
  func apply(
    to pixels: UnsafeMutablePointer<Float>, count: Int, stride: Int, bias: UnsafePointer<Float>?, channels: Range<Int>
  ) {
    let bias = bias.map { $0 + channels.lowerBound }
    switch self {
    case .activation(let activation):
      kernels.bias_activate(pixels, count, stride, bias, activation.code, channels.count)
    case .slopes(let slopes):
      kernels.bias_slopes(pixels, count, stride, bias, slopes + channels.lowerBound, channels.count)
    }
  }
}

extension ConvolutionKernel {
  /// Output rows of a task.
  private static let rowBlock = 4

  /// Convolves planes of `height` x `width` pixels from the means of frames.
  ///
  /// - Parameters:
  ///   - pools: for each frame of the output, the frames of the input whose mean it shows.
  ///   - residual: `[pools, height, width, outputs]`, added to the sums before they are finished.
  ///   - output: `[pools, height, width, outputs]`.
  package static func planar(
    _ input: PixelReader, _ weight: ConvolutionWeight, _ taps: PlanarTaps, pools: [Range<Int>], height: Int, width: Int,
    residual: UnsafePointer<Float>? = nil, _ finish: PixelFinish, _ output: UnsafeMutablePointer<Float>
  ) {
    precondition(
      weight.taps == taps.height * taps.width && weight.inputs == input.channels,
      "planar convolution of \(input.channels) channels with \(weight.inputs) x \(weight.taps) taps")
    let isWhole = height == input.height && width == input.width && pools.allSatisfy { $0.count == 1 }
    if taps.suitsWinograd, isWhole {
      winograd(input, weight, frames: pools.map(\.lowerBound), residual, finish, output)
    } else {
      let plane = DirectPlane(
        input: input, taps: taps, height: height, width: width, bias: weight.bias, residual: residual, finish: finish)
      direct(plane, weight, pools: pools, output)
    }
  }

  private static func direct(
    _ plane: DirectPlane, _ weight: ConvolutionWeight, pools: [Range<Int>], _ output: UnsafeMutablePointer<Float>
  ) {
    let taps = plane.taps
    // A place is one row of taps: its pixels lie side by side in the image, so they are one product.
    let layout = WeightPanels.Layout(inputs: taps.width * weight.inputs, outputs: weight.outputs, places: taps.height)
    withScratch(layout.count) { scratch in
      // Sound: tasks write disjoint panels, then disjoint pixels, and only read everything else.
      nonisolated(unsafe) let (plane, weight, scratch, output) = (plane, weight, scratch, output)
      Workers.forEach(layout.panels) { panel in
        let outputs = layout.outputs(of: panel)
        weight.matrix.withRows(outputs) { rows in
          for place in 0..<taps.height {
            kernels.pack_panel(
              scratch + layout.offset(of: panel) + place * layout.plane(of: panel), rows, weight.inputs, outputs.count,
              weight.taps, place * taps.width, taps.width)
          }
        }
      }
      let panels = WeightPanels(start: scratch, layout: layout)
      let blocks = Tiling(count: plane.height, limit: rowBlock, multiple: 1)
      Workers.forEach(pools.count * blocks.tiles) { task in
        let frame = task / blocks.tiles
        plane.convolve(rows: blocks[task % blocks.tiles], from: pools[frame], panels, frame: frame, output)
      }
    }
  }

  /// Winograd's filtering F(2, 3) on both axes: 16 products for 36.
  private static func winograd(
    _ input: PixelReader, _ weight: ConvolutionWeight, frames: [Int], _ residual: UnsafePointer<Float>?,
    _ finish: PixelFinish, _ output: UnsafeMutablePointer<Float>
  ) {
    withTransformedWeights(weight, places: 16, kernels.winograd_plane_weights) { panels in
      // Sound: as above.
      nonisolated(unsafe) let (input, weight, residual, finish, output) = (input, weight, residual, finish, output)
      forEachBlock(height: input.height, width: input.width, panels: panels) { block, groups in
        let tiles = block.rows.count * block.columns.count
        let (rows, columns) = (block.pixelRows, block.pixelColumns)
        let (readRows, readColumns) = (rows.widened(by: 1), columns.widened(by: 1))
        let rowStride = readColumns.count * input.channels
        let band = readRows.count * rowStride
        let plane = paddedPlane(tiles * input.channels)
        withScratch(band + 16 * (plane + paddedPlane(tiles * VAP_PANEL))) { scratch in
          let transformed = scratch + band
          let products = transformed + 16 * plane
          for (frame, source) in frames.enumerated() {
            input.read(frame: source, rows: readRows, columns: readColumns, into: scratch)
            for row in 0..<block.rows.count {
              kernels.winograd_plane_input(
                transformed + row * block.columns.count * input.channels, plane,
                scratch + 2 * row * rowStride, rowStride, block.columns.count, input.channels)
            }
            for group in groups {
              let channels = panels.layout.outputs(of: group)
              panels.multiply(transformed, places: 0..<16, group: group, tiles: tiles, into: products)
              block.write(
                products, panels, group, bias: nil, to: output, base: residual, frame: frame, kernels.winograd_output)
              for row in rows.clamped(to: 0..<input.height) {
                let place = (frame * input.height + row) * input.width + columns.lowerBound
                finish.apply(
                  to: output + place * weight.outputs + channels.lowerBound,
                  count: min(columns.upperBound, input.width) - columns.lowerBound, stride: weight.outputs,
                  bias: weight.bias, channels: channels)
              }
            }
          }
        }
      }
    }
  }
}

/// A planar convolution that sums over the taps as they are.
private struct DirectPlane {
  let input: PixelReader
  let taps: PlanarTaps
  let height: Int
  let width: Int
  let bias: UnsafePointer<Float>?
  let residual: UnsafePointer<Float>?
  let finish: PixelFinish

  /// Computes some rows of a frame of the output.
  func convolve(
    rows: Range<Int>, from pool: Range<Int>, _ panels: WeightPanels, frame: Int, _ output: UnsafeMutablePointer<Float>
  ) {
    let channels = input.channels
    let firstRow = rows.lowerBound * taps.stride - taps.top
    let pixelRows = firstRow..<firstRow + (rows.count - 1) * taps.stride + taps.height
    let pixelColumns = -taps.left..<(width - 1) * taps.stride + taps.width - taps.left
    let rowStride = pixelColumns.count * channels
    let band = pixelRows.count * rowStride
    withScratch(pool.count > 1 ? 2 * band : band) { scratch in
      input.read(frame: pool.lowerBound, rows: pixelRows, columns: pixelColumns, into: scratch)
      for other in pool.dropFirst() {
        input.read(frame: other, rows: pixelRows, columns: pixelColumns, into: scratch + band)
        kernels.add(scratch, scratch, scratch + band, band)
      }
      if pool.count > 1 { kernels.affine(scratch, scratch, 1 / Float(pool.count), 0, band) }
      let layout = panels.layout
      for panel in 0..<panels.count {
        let outputs = layout.outputs(of: panel)
        for (line, row) in rows.enumerated() {
          let start = (frame * height + row) * width * layout.outputs + outputs.lowerBound
          let target = output + start
          if let residual {
            for offset in stride(from: 0, to: width * layout.outputs, by: layout.outputs) {
              (target + offset).update(from: residual + start + offset, count: outputs.count)
            }
          }
          for place in 0..<taps.height {
            kernels.multiply_panel(
              target, layout.outputs, scratch + (line * taps.stride + place) * rowStride, taps.stride * channels,
              panels.start + layout.offset(of: panel) + place * layout.plane(of: panel), width, layout.inputs,
              outputs.count, place == 0 && residual == nil ? 0 : 1)
          }
          finish.apply(to: target, count: width, stride: layout.outputs, bias: bias, channels: outputs)
        }
      }
    }
  }
}
