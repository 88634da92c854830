/// Reading planes between their pixels.
package enum SamplingKernel {
  /// Two neighbouring positions on an axis and the weight of the second.
  struct Tap {
    let first: Int
    let second: Int
    let fraction: Float
  }

  /// Positions of `target` places on an axis of `source`, by the centres of pixels, edges repeated.
  static func taps(from source: Int, to target: Int) -> [Tap] {
    let scale = Float(source) / Float(target)
    return (0..<target).map { index in
      let position = max(scale * (Float(index) + 0.5) - 0.5, 0)
      let first = min(Int(position), source - 1)
      return Tap(first: first, second: min(first + 1, source - 1), fraction: position - Float(first))
    }
  }

  /// Resizes frames bilinearly without smoothing, by the centres of pixels: `[F, H, W, C]` to `[F, h, w, C]`.
  package static func resize(
    _ input: UnsafePointer<Float>, frames: Int, height: Int, width: Int, channels: Int, toHeight: Int, toWidth: Int,
    factor: Float, _ output: UnsafeMutablePointer<Float>
  ) {
    let (rows, columns) = (taps(from: height, to: toHeight), taps(from: width, to: toWidth))
    // Sound: lines are disjoint and the input is only read.
    nonisolated(unsafe) let (input, output) = (input, output)
    Workers.forEachBlock(of: 8, in: frames * toHeight) { lines in
      withScratch(width * channels) { scratch in
        for line in lines {
          let (frame, row) = (line / toHeight, rows[line % toHeight])
          let source = input + frame * height * width * channels
          let count = width * channels
          kernels.combine(
            scratch, source + row.first * count, (1 - row.fraction) * factor, source + row.second * count,
            row.fraction * factor, count)
          for (place, column) in columns.enumerated() {
            let target = output + (line * toWidth + place) * channels
            let (first, second) = (scratch + column.first * channels, scratch + column.second * channels)
            for channel in 0..<channels {
              target[channel] = first[channel] * (1 - column.fraction) + second[channel] * column.fraction
            }
          }
        }
      }
    }
  }

  /// The transpose of `resize`: gradient `[F, h, w, C]` to `[F, H, W, C]`.
  package static func resizeGradient(
    _ gradient: UnsafePointer<Float>, frames: Int, height: Int, width: Int, channels: Int, fromHeight: Int,
    fromWidth: Int, factor: Float, _ output: UnsafeMutablePointer<Float>
  ) {
    let (rows, columns) = (taps(from: height, to: fromHeight), taps(from: width, to: fromWidth))
    let count = width * channels
    // Sound: frames are disjoint; within one, rows are added in order.
    nonisolated(unsafe) let (gradient, output) = (gradient, output)
    Workers.forEach(frames) { frame in
      let target = output + frame * height * count
      target.update(repeating: 0, count: height * count)
      withScratch(count) { line in
        for (index, row) in rows.enumerated() {
          line.update(repeating: 0, count: count)
          for (place, column) in columns.enumerated() {
            let source = gradient + ((frame * fromHeight + index) * fromWidth + place) * channels
            let (first, second) = (line + column.first * channels, line + column.second * channels)
            kernels.combine(first, first, 1, source, 1 - column.fraction, channels)
            kernels.combine(second, second, 1, source, column.fraction, channels)
          }
          let (first, second) = (target + row.first * count, target + row.second * count)
          kernels.combine(first, first, 1, line, (1 - row.fraction) * factor, count)
          kernels.combine(second, second, 1, line, row.fraction * factor, count)
        }
      }
    }
  }

  /// Reads an image at (x + u, y + v) for each pixel (x, y), bilinearly and with the edges repeated.
  ///
  /// - Parameters:
  ///   - input: `[H, W, C]`. - flow: (u, v) in pixels, `flowStride` elements from pixel to pixel.
  ///   - output: `[H, W, C]`.
  package static func warp(
    _ input: UnsafePointer<Float>, height: Int, width: Int, channels: Int, flow: UnsafePointer<Float>, flowStride: Int,
    _ output: UnsafeMutablePointer<Float>
  ) {
    // Sound: rows are disjoint and the inputs are only read.
    nonisolated(unsafe) let (input, flow, output) = (input, flow, output)
    Workers.forEachBlock(of: 4, in: height) { rows in
      for row in rows {
        for column in 0..<width {
          let place = row * width + column
          let x = clamped(Float(column) + flow[place * flowStride], to: width)
          let y = clamped(Float(row) + flow[place * flowStride + 1], to: height)
          let (left, top) = (Int(x), Int(y))
          let (right, bottom) = (min(left + 1, width - 1), min(top + 1, height - 1))
          let (dx, dy) = (x - Float(left), y - Float(top))
          let (a, b) = (input + (top * width + left) * channels, input + (top * width + right) * channels)
          let (c, d) = (input + (bottom * width + left) * channels, input + (bottom * width + right) * channels)
          let target = output + place * channels
          let (p, q, r, s) = ((1 - dx) * (1 - dy), dx * (1 - dy), (1 - dx) * dy, dx * dy)
          for channel in 0..<channels {
            target[channel] = a[channel] * p + b[channel] * q + c[channel] * r + d[channel] * s
          }
        }
      }
    }
  }

  /// A position inside of an axis; one that is not a number becomes 0.
  private static func clamped(_ position: Float, to extent: Int) -> Float {
    position > 0 ? min(position, Float(extent - 1)) : 0
  }

  /// Means of 2 x 2 pixels of planes `[P, H, W]`: `[P, H / 2, W / 2]`, odd rows and columns left out.
  package static func averagePool(
    _ input: UnsafePointer<Float>, planes: Int, height: Int, width: Int, _ output: UnsafeMutablePointer<Float>
  ) {
    let (rows, columns) = (height / 2, width / 2)
    nonisolated(unsafe) let (input, output) = (input, output)
    Workers.forEachBlock(of: 16, in: planes) { range in
      for plane in range {
        for row in 0..<rows {
          let (first, target) = (input + (plane * height + 2 * row) * width, output + (plane * rows + row) * columns)
          let second = first + width
          for column in 0..<columns {
            let upper = first[2 * column] + first[2 * column + 1]
            target[column] = (upper + second[2 * column] + second[2 * column + 1]) * 0.25
          }
        }
      }
    }
  }

  /// The transpose of `averagePool`: gradient `[P, H / 2, W / 2]` to `[P, H, W]`.
  package static func averagePoolGradient(
    _ gradient: UnsafePointer<Float>, planes: Int, height: Int, width: Int, _ output: UnsafeMutablePointer<Float>
  ) {
    let (rows, columns) = (height / 2, width / 2)
    nonisolated(unsafe) let (gradient, output) = (gradient, output)
    Workers.forEachBlock(of: 16, in: planes) { range in
      for plane in range {
        let target = output + plane * height * width
        target.update(repeating: 0, count: height * width)
        for row in 0..<2 * rows {
          let source = gradient + (plane * rows + row / 2) * columns
          for column in 0..<2 * columns { target[row * width + column] = source[column / 2] * 0.25 }
        }
      }
    }
  }

  /// Reads a window of (2 radius + 1)^2 places around a point from each of many planes, bilinearly, zero outside.
  ///
  /// - Parameters:
  ///   - planes: `[N, H, W]`.
  ///   - points: (x, y) for each plane at the planes' resolution times 1 / `scale`.
  ///   - output: window n starts at `n * stride`; place (2 radius + 1) a + b is at x + a - radius, y + b - radius: the
  ///     slow index moves x, as published.
  package static func windows(
    _ planes: UnsafePointer<Float>, count: Int, height: Int, width: Int, points: UnsafePointer<Float>, scale: Float,
    radius: Int, _ output: UnsafeMutablePointer<Float>, stride: Int
  ) {
    let side = 2 * radius + 1
    nonisolated(unsafe) let (planes, points, output) = (planes, points, output)
    Workers.forEachBlock(of: 64, in: count) { range in
      // All places of a window have the same fractions, so they share a patch of one more row and column.
      withScratch((side + 1) * (side + 1)) { patch in
        for index in range {
          let (x, y) = (points[2 * index] * scale, points[2 * index + 1] * scale)
          let target = output + index * stride
          let (left, top) = (x.rounded(.down), y.rounded(.down))
          // Also false for a point that is not a number.
          guard abs(left) < 1e6, abs(top) < 1e6 else {
            target.update(repeating: 0, count: side * side)
            continue
          }
          let plane = planes + index * height * width
          let (firstColumn, firstRow) = (Int(left) - radius, Int(top) - radius)
          for row in 0...side {
            let line = patch + row * (side + 1)
            guard (0..<height).contains(firstRow + row) else {
              line.update(repeating: 0, count: side + 1)
              continue
            }
            let source = plane + (firstRow + row) * width
            for column in 0...side {
              let place = firstColumn + column
              line[column] = place >= 0 && place < width ? source[place] : 0
            }
          }
          let (dx, dy) = (x - left, y - top)
          for b in 0..<side {
            let (upper, lower) = (patch + b * (side + 1), patch + (b + 1) * (side + 1))
            for a in 0..<side {
              let (first, second) = (upper[a] * (1 - dx) + upper[a + 1] * dx, lower[a] * (1 - dx) + lower[a + 1] * dx)
              target[a * side + b] = first * (1 - dy) + second * dy
            }
          }
        }
      }
    }
  }

  /// Upsamples a field of two components by 8: each fine pixel is a mean of the 3 x 3 coarse ones around it, zero
  /// outside, weighted by the softmax of its 9 mask values (Teed & Deng 2020).
  ///
  /// - Parameters:
  ///   - field: `[H, W, 2]`. - mask: `[H, W, 9 x 8 x 8]`, neighbours slowest.
  ///   - output: `[8 H, 8 W, 2]`.
  package static func convexUpsample(
    _ field: UnsafePointer<Float>, mask: UnsafePointer<Float>, height: Int, width: Int, factor: Float,
    _ output: UnsafeMutablePointer<Float>
  ) {
    nonisolated(unsafe) let (field, mask, output) = (field, mask, output)
    Workers.forEach(height) { row in
      withScratch(64 * 9) { weights in
        for column in 0..<width {
          let logits = mask + (row * width + column) * 576
          for fine in 0..<64 {
            for neighbour in 0..<9 { weights[fine * 9 + neighbour] = logits[neighbour * 64 + fine] }
            kernels.softmax(weights + fine * 9, nil, 9)
            var (u, v): (Float, Float) = (0, 0)
            for neighbour in 0..<9 {
              let (y, x) = (row + neighbour / 3 - 1, column + neighbour % 3 - 1)
              guard y >= 0, y < height, x >= 0, x < width else { continue }
              let source = field + (y * width + x) * 2
              u += weights[fine * 9 + neighbour] * (factor * source[0])
              v += weights[fine * 9 + neighbour] * (factor * source[1])
            }
            let target = output + ((8 * row + fine / 8) * 8 * width + 8 * column + fine % 8) * 2
            target[0] = u
            target[1] = v
          }
        }
      }
    }
  }
}
