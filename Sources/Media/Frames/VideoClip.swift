/// Frames of one size in memory: unsigned bytes `[F, H, W, 3]`, red green blue, row-major without gaps.
package struct VideoClip: Sendable, Equatable {
  package let size: FrameSize
  package let frameCount: Int
  package var frameRate: FrameRate
  /// `frameCount * height * width * 3` bytes.
  package let pixels: [UInt8]

  /// Traps unless there is at least one frame and `pixels` fills whole frames.
  package init(size: FrameSize, frameRate: FrameRate, pixels: [UInt8]) {
    precondition(size.width > 0 && size.height > 0, "a clip of \(size) pixels")
    precondition(
      !pixels.isEmpty && pixels.count.isMultiple(of: size.byteCount), "\(pixels.count) bytes are no frames of \(size)")
    self.size = size
    self.frameRate = frameRate
    self.pixels = pixels
    frameCount = pixels.count / size.byteCount
  }

  /// A clip whose bytes `fill` writes, all of them.
  init(
    size: FrameSize, frameCount: Int, frameRate: FrameRate,
    filledBy fill: (UnsafeMutableBufferPointer<UInt8>) throws -> Void
  ) rethrows {
    let count = size.byteCount * frameCount
    let pixels = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      try fill(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      initialized = count
    }
    self.init(size: size, frameRate: frameRate, pixels: pixels)
  }

  package var width: Int { size.width }
  package var height: Int { size.height }

  /// The bytes `[H, W, 3]` of one frame.
  package func frame(_ index: Int) -> ArraySlice<UInt8> {
    precondition((0..<frameCount).contains(index), "frame \(index) of \(frameCount)")
    return pixels[index * size.byteCount..<(index + 1) * size.byteCount]
  }

  /// The frames at `indices`, which may repeat and come in any order.
  package func selecting(_ indices: [Int]) -> VideoClip {
    var selected: [UInt8] = []
    selected.reserveCapacity(indices.count * size.byteCount)
    for index in indices { selected += frame(index) }
    return VideoClip(size: size, frameRate: frameRate, pixels: selected)
  }
}
