extension VideoClip {
  /// The middle `size` of every frame; the odd pixel of an odd margin is cut at the right and bottom.
  ///
  /// Traps if `size` is larger than the frames.
  package func centerCropped(to size: FrameSize) -> VideoClip {
    cropped(to: size, left: (width - size.width) / 2, top: (height - size.height) / 2)
  }

  /// The part of every frame that begins at a pixel; traps unless it lies inside.
  package func cropped(to size: FrameSize, left: Int, top: Int) -> VideoClip {
    precondition(
      left >= 0 && top >= 0 && left + size.width <= width && top + size.height <= height,
      "cannot crop \(self.size) to \(size) at \(left), \(top)")
    return VideoClip(size: size, frameCount: frameCount, frameRate: frameRate) { output in
      pixels.withUnsafeBufferPointer { input in
        for row in 0..<frameCount * size.height {
          let (frame, line) = row.quotientAndRemainder(dividingBy: size.height)
          let source = ((frame * height + top + line) * width + left) * 3
          (output.baseAddress! + row * size.width * 3).update(from: input.baseAddress! + source, count: size.width * 3)
        }
      }
    }
  }

  /// Clips next to each other, left to right, as results are compared: reference | image | generated.
  ///
  /// All are brought to the height of the last clip with their shape kept, and black pixels make width and height even.
  /// A clip that ends early holds its last frame. Frames are paired by index, at the frame rate of the last clip.
  /// - Returns: nil for an empty list.
  package static func sideBySide(_ clips: [VideoClip]) -> VideoClip? {
    guard let last = clips.last else { return nil }
    let height = last.height
    let frameCount = clips.map(\.frameCount).max() ?? 1
    let columns = clips.map { clip in
      let width = Double(clip.width) * Double(height) / Double(clip.height)
      return clip.resized(to: FrameSize(width: max(Int(width.rounded()), 1), height: height))
    }
    let widths = columns.map { $0.width + $0.width % 2 }
    let size = FrameSize(width: widths.reduce(0, +), height: height + height % 2)
    return VideoClip(size: size, frameCount: frameCount, frameRate: last.frameRate) { output in
      output.update(repeating: 0)
      for frame in 0..<frameCount {
        var left = 0
        for (column, width) in zip(columns, widths) {
          column.draw(frame: min(frame, column.frameCount - 1), on: output, size: size, frameIndex: frame, left: left)
          left += width
        }
      }
    }
  }

  /// Copies a frame into a wider canvas of at least its height.
  private func draw(
    frame: Int, on canvas: UnsafeMutableBufferPointer<UInt8>, size: FrameSize, frameIndex: Int, left: Int
  ) {
    pixels.withUnsafeBufferPointer { input in
      for line in 0..<height {
        let source = input.baseAddress! + (frame * height + line) * width * 3
        let target = canvas.baseAddress! + ((frameIndex * size.height + line) * size.width + left) * 3
        target.update(from: source, count: width * 3)
      }
    }
  }
}
