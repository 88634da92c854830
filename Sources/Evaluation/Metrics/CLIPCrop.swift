import Media

/// How CLIP's square images are cut from frames: the shorter side is brought to the square's, the middle is kept.
package struct CLIPCrop: Sendable, Equatable {
  package let resized: FrameSize
  package let left: Int
  package let top: Int
  package let side: Int

  package init(_ size: FrameSize, side: Int) {
    let shorter = min(size.width, size.height)
    // Rounded down, as published.
    resized = FrameSize(width: side * size.width / shorter, height: side * size.height / shorter)
    left = Int((Double(resized.width - side) / 2).rounded(.toNearestOrEven))
    top = Int((Double(resized.height - side) / 2).rounded(.toNearestOrEven))
    self.side = side
  }
}
