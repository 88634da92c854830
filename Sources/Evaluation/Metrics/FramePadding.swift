import Media
import Tensors

/// How frames are brought to a multiple of pixels that a network needs: edges are repeated, the larger half of an odd
/// margin at the right and the bottom (both published networks' rule).
package struct FramePadding: Sendable, Equatable {
  package let left: Int
  package let right: Int
  package let top: Int
  package let bottom: Int
  /// Of the frames without padding.
  package let size: FrameSize

  package init(_ size: FrameSize, multiple: Int) {
    func margins(_ extent: Int) -> (Int, Int) {
      let missing = ((extent / multiple + 1) * multiple - extent) % multiple
      return (missing / 2, missing - missing / 2)
    }
    (left, right) = margins(size.width)
    (top, bottom) = margins(size.height)
    self.size = size
  }

  package var paddedSize: FrameSize {
    FrameSize(width: left + size.width + right, height: top + size.height + bottom)
  }

  /// A frame as a padded image `[1, H, W, 3]`, values divided by `divisor`.
  ///
  /// - Parameter clip: frames of `size`.
  package func image(of frame: Int, in clip: VideoClip, dividedBy divisor: Float = 1) -> Tensor {
    precondition(clip.size == size, "padding for \(size) of a clip of \(clip.size)")
    let pixels = clip.frame(frame)
    let (width, height) = (paddedSize.width, paddedSize.height)
    return Tensor([1, height, width, 3]) { output in
      pixels.withUnsafeBufferPointer { pixels in
        for row in 0..<height {
          let line = min(max(row - top, 0), size.height - 1) * size.width
          for column in 0..<width {
            let source = (line + min(max(column - left, 0), size.width - 1)) * 3
            for channel in 0..<3 {
              output[(row * width + column) * 3 + channel] = Float(pixels[source + channel]) / divisor
            }
          }
        }
      }
    }
  }

  /// The part of a padded image `[1, H, W, C]` that the frame covers.
  func unpadded(_ image: Tensor) -> Tensor {
    image.sliced(1, top..<top + size.height).sliced(2, left..<left + size.width)
  }
}
