/// A picture in the making: frames of clips beside and below each other, on white.
package struct PictureCanvas: Sendable {
  package let size: FrameSize
  private var pixels: [UInt8]

  package init(size: FrameSize) {
    self.size = size
    pixels = [UInt8](repeating: 255, count: size.byteCount)
  }

  /// Puts a frame with its upper left corner at a place; traps unless it lies inside.
  package mutating func draw(_ clip: VideoClip, frame index: Int, left: Int, top: Int) {
    precondition(
      left >= 0 && top >= 0 && left + clip.width <= size.width && top + clip.height <= size.height,
      "\(clip.size) at \(left), \(top) is outside of \(size)")
    let frame = clip.frame(index)
    for line in 0..<clip.height {
      let source = frame.startIndex + line * clip.width * 3
      let target = ((top + line) * size.width + left) * 3
      pixels.replaceSubrange(target..<target + clip.width * 3, with: frame[source..<source + clip.width * 3])
    }
  }

  /// The picture, as a clip of one frame.
  package var picture: VideoClip { VideoClip(size: size, frameRate: .training, pixels: pixels) }
}

extension VideoClip {
  /// Larger by a whole factor; pixels stay sharp squares.
  package func enlarged(by factor: Int) -> VideoClip {
    factor == 1 ? self : resized(to: FrameSize(width: width * factor, height: height * factor), filter: .box)
  }
}
