/// Width and height of a frame in pixels.
package struct FrameSize: Sendable, Hashable, CustomStringConvertible {
  package let width: Int
  package let height: Int

  package init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  package var pixelCount: Int { width * height }
  /// Bytes of one frame of RGB24.
  package var byteCount: Int { width * height * 3 }
  package var description: String { "\(width)x\(height)" }
}
