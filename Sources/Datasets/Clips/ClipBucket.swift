import Media

/// A number of frames and a size that clips are brought to.
package struct ClipBucket: Sendable, Hashable, CustomStringConvertible {
  package let frames: Int
  package let height: Int
  package let width: Int

  package init(frames: Int, height: Int, width: Int) {
    self.frames = frames
    self.height = height
    self.width = width
  }

  package var description: String { "\(frames)x\(height)x\(width)" }
  package var size: FrameSize { FrameSize(width: width, height: height) }

  /// The bucket for a clip (published rule): of those with the largest number of frames that the clip fills, or if it
  /// fills none with the nearest number, the one of the nearest aspect ratio; of two equally near ones the larger.
  package static func nearest(to size: FrameSize, frames: Int, of buckets: [ClipBucket]) -> ClipBucket? {
    let filled = buckets.filter { $0.frames <= frames }
    let best =
      filled.max { $0.frames < $1.frames } ?? buckets.min { abs($0.frames - frames) < abs($1.frames - frames) }
    guard let best else { return nil }
    let ratio = Double(size.width) / Double(size.height)
    func rank(_ bucket: ClipBucket) -> (Double, Int, Int) {
      (abs(Double(bucket.width) / Double(bucket.height) - ratio), -bucket.height, -bucket.width)
    }
    return buckets.filter { $0.frames == best.frames }.min { rank($0) < rank($1) }
  }
}
