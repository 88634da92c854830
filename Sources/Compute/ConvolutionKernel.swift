import CKernels

/// The weight of a convolution as it lies in storage: `[outputs, inputs, taps]`, and its bias `[outputs]`.
package struct ConvolutionWeight {
  package let matrix: StoredMatrix
  package let inputs: Int
  package let taps: Int
  package let bias: UnsafePointer<Float>?

  package init(matrix: StoredMatrix, taps: Int, bias: UnsafePointer<Float>?) {
    self.matrix = matrix
    self.taps = taps
    self.bias = bias
    inputs = matrix.columns / taps
  }

  var outputs: Int { matrix.rows }
}

/// Convolutions of channels-last clips.
///
/// Convolutions with 3 taps an axis and stride 1 use Winograd's minimal filtering F(2, 3) on each axis, which needs
/// 3.4 times fewer products (8 for 27) and rounds no worse than a direct sum. A task computes a block of tiles, 2 x 2
/// pixels each, for all frames; whatever it holds between passes stays in cache.
package enum ConvolutionKernel {
  /// Tiles along each side of a block: 36 tiles are whole tiles of the product kernel, and a block of 128 channels stays
  /// in a cache of 1 MB.
  private static let blockSide = 6

  /// Causal convolution with 3 x 3 x 3 taps: frame t reads frames t - 2...t, the plane is padded by one zero pixel.
  ///
  /// - Parameters:
  ///   - residual: `[F, H, W, outputs]`, added to the result; may be `output` itself.
  ///   - output: `[F, H, W, outputs]`.
  package static func causal(
    _ input: PixelReader, _ weight: ConvolutionWeight, residual: UnsafePointer<Float>?,
    _ output: UnsafeMutablePointer<Float>
  ) {
    precondition(
      weight.taps == 27 && weight.inputs == input.channels, "causal convolution of \(input.channels) channels")
    withTransformedWeights(weight, places: 64, kernels.winograd_weights) { panels in
      // Sound: tasks write disjoint pixels or channels and only read everything else.
      nonisolated(unsafe) let (input, weight, residual, output) = (input, weight, residual, output)
      forEachBlock(height: input.height, width: input.width, panels: panels) { block, groups in
        CausalBlock(input: input, block: block, panels: panels).run(groups, weight.bias, residual, output)
      }
    }
  }

  /// Upsamples each frame by 2, nearest, and convolves it with 3 x 3 taps, padded by one zero pixel.
  ///
  /// Four of nine products of the upsampled image vanish or repeat, so the image is never made.
  ///
  /// - Parameters:
  ///   - copies: for each frame of the input, the frames of the output that show it.
  ///   - output: `[output frames, 2 H, 2 W, outputs]`.
  package static func upsampling(
    _ input: PixelReader, _ weight: ConvolutionWeight, copies: [Range<Int>], _ output: UnsafeMutablePointer<Float>
  ) {
    precondition(weight.taps == 9 && weight.inputs == input.channels, "upsampling of \(input.channels) channels")
    withTransformedWeights(weight, places: 9, kernels.winograd_upsampled_weights) { panels in
      // Sound: as above.
      nonisolated(unsafe) let (input, weight, output) = (input, weight, output)
      forEachBlock(height: 2 * input.height, width: 2 * input.width, panels: panels) { block, groups in
        upsample(input, block, panels, groups, weight.bias, copies, output)
      }
    }
  }

  private static func upsample(
    _ input: PixelReader, _ block: TileBlock, _ panels: WeightPanels, _ groups: Range<Int>,
    _ bias: UnsafePointer<Float>?, _ copies: [Range<Int>], _ output: UnsafeMutablePointer<Float>
  ) {
    let channels = input.channels
    let tiles = block.rows.count * block.columns.count
    let (rows, columns) = (block.rows.widened(by: 1), block.columns.widened(by: 1))
    let rowStride = columns.count * channels
    let band = rows.count * rowStride
    let plane = paddedPlane(tiles * channels)
    withScratch(band + 9 * (plane + paddedPlane(tiles * VAP_PANEL))) { scratch in
      let transformed = scratch + band
      let products = transformed + 9 * plane
      for frame in 0..<input.frameCount {
        input.read(frame: frame, rows: rows, columns: columns, into: scratch)
        for row in 0..<block.rows.count {
          kernels.winograd_upsampled_input(
            transformed + row * block.columns.count * channels, plane, scratch + row * rowStride, rowStride,
            block.columns.count, channels)
        }
        for group in groups {
          panels.multiply(transformed, places: 0..<9, group: group, tiles: tiles, into: products)
          for copy in copies[frame] {
            block.write(
              products, panels, group, bias: bias, to: output, frame: copy, kernels.winograd_upsampled_output)
          }
        }
      }
    }
  }

  // MARK: - Blocks and weights

  static func forEachBlock(
    height: Int, width: Int, panels: WeightPanels, _ body: (TileBlock, Range<Int>) -> Void
  ) {
    let rows = Tiling(count: (height + 1) / 2, limit: blockSide, multiple: 1)
    let columns = Tiling(count: (width + 1) / 2, limit: blockSide, multiple: 1)
    let blocks = rows.tiles * columns.tiles
    // A small plane has few blocks: then tasks share a block and take some of its output channels each.
    let shares = Tiling(count: panels.count, limit: max(1, panels.count * blocks / 16), multiple: 1)
    nonisolated(unsafe) let body = body
    Workers.forEach(blocks * shares.tiles) { task in
      let block = task % blocks
      body(
        TileBlock(
          rows: rows[block / columns.tiles], columns: columns[block % columns.tiles], height: height, width: width),
        shares[task / blocks])
    }
  }

  static func withTransformedWeights(
    _ weight: ConvolutionWeight, places: Int,
    _ transform: (UnsafeMutablePointer<Float>, Int, UnsafePointer<Float>, Int, Int) -> Void,
    _ body: (WeightPanels) -> Void
  ) {
    let layout = WeightPanels.Layout(inputs: weight.inputs, outputs: weight.outputs, places: places)
    withScratch(layout.count) { scratch in
      nonisolated(unsafe) let (scratch, weight, transform) = (scratch, weight, transform)
      Workers.forEach(layout.panels) { panel in
        let outputs = layout.outputs(of: panel)
        weight.matrix.withRows(outputs) { rows in
          transform(scratch + layout.offset(of: panel), layout.plane(of: panel), rows, weight.inputs, outputs.count)
        }
      }
      body(WeightPanels(start: scratch, layout: layout))
    }
  }
}

/// Tiles of 2 x 2 pixels that one task computes, of a plane of `height` x `width` pixels.
struct TileBlock {
  let rows: Range<Int>
  let columns: Range<Int>
  let height: Int
  let width: Int

  /// The pixels of the tiles, the last of which may lie beyond the plane.
  var pixelRows: Range<Int> { 2 * rows.lowerBound..<2 * rows.upperBound }
  var pixelColumns: Range<Int> { 2 * columns.lowerBound..<2 * columns.upperBound }

  /// Transforms products back to pixels of a frame of `output`.
  ///
  /// - Parameter base: what to add to, laid out like `output`.
  func write(
    _ products: UnsafePointer<Float>, _ panels: WeightPanels, _ group: Int, bias: UnsafePointer<Float>?,
    to output: UnsafeMutablePointer<Float>, base: UnsafePointer<Float>? = nil, sign: Float = 1, frame: Int,
    _ transform: (UnsafePointer<vap_winograd_output>, UnsafePointer<Float>, Int, Int, Int) -> Void
  ) {
    let channels = panels.layout.outputs(of: group)
    let pixelStride = panels.layout.outputs
    let stride = panels.layout.width(of: group)
    for (line, row) in rows.enumerated() {
      let place = ((frame * height + 2 * row) * width + 2 * columns.lowerBound) * pixelStride + channels.lowerBound
      var target = vap_winograd_output(
        out: output + place, base: base.map { $0 + place }, bias: bias.map { $0 + channels.lowerBound }, sign: sign,
        pixel_stride: pixelStride, row_stride: width * pixelStride,
        width: min(2 * columns.count, width - 2 * columns.lowerBound), height: min(2, height - 2 * row))
      transform(
        &target, products + line * columns.count * stride, paddedPlane(rows.count * columns.count * stride), stride,
        channels.count)
    }
  }
}

/// A block of a causal convolution.
private struct CausalBlock {
  let input: PixelReader
  let block: TileBlock
  let panels: WeightPanels

  /// The minimal filtering in time: outputs t, t + 1 from the places x(t-2) - x(t), x(t-1) + x(t), x(t) - x(t-1),
  /// x(t-1) - x(t+1), of which t takes 0 + 1 + 2 and t + 1 takes 1 - 2 - 3.
  private static let places: [(first: Int, sign: Float, second: Int, even: Float, odd: Float)] = [
    (-2, -1, 0, 1, 0), (-1, 1, 0, 1, 1), (0, -1, -1, 1, -1), (-1, -1, 1, 0, -1),
  ]

  func run(
    _ groups: Range<Int>, _ bias: UnsafePointer<Float>?, _ residual: UnsafePointer<Float>?,
    _ output: UnsafeMutablePointer<Float>
  ) {
    let channels = input.channels
    let (rows, columns) = (block.rows, block.columns)
    let tiles = rows.count * columns.count
    let pixelRows = block.pixelRows.widened(by: 1)
    let pixelColumns = block.pixelColumns.widened(by: 1)
    let rowStride = pixelColumns.count * channels
    let band = pixelRows.count * rowStride
    let plane = paddedPlane(tiles * channels)
    withScratch(4 * band + 16 * (plane + paddedPlane(tiles * VAP_PANEL))) { scratch in
      let transformed = scratch + 4 * band
      let products = transformed + 16 * plane
      // A ring of the last four frames.
      func slot(_ frame: Int) -> UnsafeMutablePointer<Float> { scratch + (frame + 4) % 4 * band }
      func read(_ frame: Int) { input.read(frame: frame, rows: pixelRows, columns: pixelColumns, into: slot(frame)) }
      read(-2)
      read(-1)
      for frame in stride(from: 0, to: input.frameCount, by: 2) {
        let hasSecond = frame + 1 < input.frameCount
        read(frame)
        if hasSecond { read(frame + 1) }
        for (place, term) in Self.places.enumerated() where place < 3 || hasSecond {
          for row in 0..<rows.count {
            let offset = 2 * row * rowStride
            kernels.winograd_input(
              transformed + row * columns.count * channels, plane, slot(frame + term.first) + offset,
              slot(frame + term.second) + offset, term.sign, rowStride, columns.count, channels)
          }
          for group in groups {
            panels.multiply(
              transformed, places: place * 16..<place * 16 + 16, group: group, tiles: tiles, into: products)
            // The first term of each frame starts from bias and residual, the others add to it.
            if term.even != 0 {
              block.write(
                products, panels, group, bias: place == 0 ? bias : nil, to: output,
                base: place == 0 ? residual : UnsafePointer(output), sign: term.even, frame: frame,
                kernels.winograd_output)
            }
            if term.odd != 0, hasSecond {
              block.write(
                products, panels, group, bias: place == 1 ? bias : nil, to: output,
                base: place == 1 ? residual : UnsafePointer(output), sign: term.odd, frame: frame + 1,
                kernels.winograd_output)
            }
          }
        }
      }
    }
  }
}

/// Transformed weights: for each panel of output channels and each place of the transform, a packed panel of `inputs`
/// rows.
struct WeightPanels {
  struct Layout {
    let inputs: Int
    let outputs: Int
    let places: Int

    private static let panelWidth = VAP_PANEL

    var panels: Int { (outputs + Self.panelWidth - 1) / Self.panelWidth }
    var count: Int { offset(of: panels - 1) + places * plane(of: panels - 1) }
    func outputs(of panel: Int) -> Range<Int> {
      panel * Self.panelWidth..<min(outputs, (panel + 1) * Self.panelWidth)
    }
    /// Columns of a panel, padded to whole vectors.
    func width(of panel: Int) -> Int { (outputs(of: panel).count + kernels.lanes - 1) / kernels.lanes * kernels.lanes }
    func plane(of panel: Int) -> Int { inputs * width(of: panel) }
    func offset(of panel: Int) -> Int { panel * places * inputs * Self.panelWidth }
  }

  let start: UnsafePointer<Float>
  let layout: Layout

  init(start: UnsafeMutablePointer<Float>, layout: Layout) {
    self.start = UnsafePointer(start)
    self.layout = layout
  }

  var count: Int { layout.panels }

  /// Products of the transformed input `[place][tile][inputs]` with the panels of `places`: `[place][tile][width]`.
  func multiply(
    _ input: UnsafePointer<Float>, places: Range<Int>, group: Int, tiles: Int,
    into products: UnsafeMutablePointer<Float>
  ) {
    let (width, plane) = (layout.width(of: group), layout.plane(of: group))
    let panel = start + layout.offset(of: group)
    for (index, place) in places.enumerated() {
      kernels.multiply_panel(
        products + index * paddedPlane(tiles * width), width, input + index * paddedPlane(tiles * layout.inputs),
        layout.inputs, panel + place * plane, tiles, layout.inputs, width, 0)
    }
  }
}

/// Distance of the planes of a transform. A power of two would send the same element of all planes, which are used
/// together, to the same few places of the cache; so it is one cache line more.
func paddedPlane(_ count: Int) -> Int { count + 16 }

extension Range<Int> {
  func widened(by margin: Int) -> Range<Int> { lowerBound - margin..<upperBound + margin }
}
