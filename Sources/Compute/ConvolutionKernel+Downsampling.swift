import CKernels

extension ConvolutionKernel {
  /// Output rows of a task.
  private static let rowBlock = 4

  /// Averages frames, then convolves each plane with 3 x 3 taps and stride 2, padded by one zero pixel at the right and
  /// the bottom.
  ///
  /// - Parameters:
  ///   - pools: for each frame of the output, the frames of the input whose mean it shows.
  ///   - output: `[pools, H / 2, W / 2, outputs]`, extents rounded down.
  package static func downsampling(
    _ input: PixelReader, _ weight: ConvolutionWeight, pools: [Range<Int>], _ output: UnsafeMutablePointer<Float>
  ) {
    precondition(weight.taps == 9 && weight.inputs == input.channels, "downsampling of \(input.channels) channels")
    // A place is one row of taps: its three pixels lie side by side in the image, so they are one product.
    let layout = WeightPanels.Layout(inputs: 3 * weight.inputs, outputs: weight.outputs, places: 3)
    withScratch(layout.count) { scratch in
      // Sound: tasks write disjoint panels, then disjoint pixels, and only read everything else.
      nonisolated(unsafe) let (input, weight, scratch, output) = (input, weight, scratch, output)
      Workers.forEach(layout.panels) { panel in
        let outputs = layout.outputs(of: panel)
        weight.matrix.withRows(outputs) { rows in
          for place in 0..<3 {
            kernels.pack_panel(
              scratch + layout.offset(of: panel) + place * layout.plane(of: panel), rows, weight.inputs, outputs.count,
              9, 3 * place, 3)
          }
        }
      }
      let panels = WeightPanels(start: scratch, layout: layout)
      let blocks = Tiling(count: input.height / 2, limit: rowBlock, multiple: 1)
      Workers.forEach(pools.count * blocks.tiles) { task in
        let frame = task / blocks.tiles
        downsample(input, blocks[task % blocks.tiles], pools[frame], panels, weight.bias, frame: frame, output)
      }
    }
  }

  private static func downsample(
    _ input: PixelReader, _ rows: Range<Int>, _ pool: Range<Int>, _ panels: WeightPanels,
    _ bias: UnsafePointer<Float>?, frame: Int, _ output: UnsafeMutablePointer<Float>
  ) {
    let channels = input.channels
    let (height, width) = (input.height / 2, input.width / 2)
    let rowStride = (input.width + 1) * channels
    let pixelRows = 2 * rows.lowerBound..<2 * rows.upperBound + 1
    let band = pixelRows.count * rowStride
    withScratch(2 * band) { scratch in
      input.read(frame: pool.lowerBound, rows: pixelRows, columns: 0..<input.width + 1, into: scratch)
      for other in pool.dropFirst() {
        input.read(frame: other, rows: pixelRows, columns: 0..<input.width + 1, into: scratch + band)
        kernels.add(scratch, scratch, scratch + band, band)
      }
      if pool.count > 1 { kernels.affine(scratch, scratch, 1 / Float(pool.count), 0, band) }
      let layout = panels.layout
      for panel in 0..<panels.count {
        let outputs = layout.outputs(of: panel)
        for (line, row) in rows.enumerated() {
          let target = output + (frame * height + row) * width * layout.outputs + outputs.lowerBound
          for place in 0..<3 {
            kernels.multiply_panel(
              target, layout.outputs, scratch + (2 * line + place) * rowStride, 2 * channels,
              panels.start + layout.offset(of: panel) + place * layout.plane(of: panel), width, layout.inputs,
              outputs.count, place == 0 ? 0 : 1)
          }
          kernels.bias_activate(
            target, width, layout.outputs, bias.map { $0 + outputs.lowerBound }, Activation.identity.code,
            outputs.count)
        }
      }
    }
  }
}
