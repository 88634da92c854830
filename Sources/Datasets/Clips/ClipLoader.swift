import Compute
import Media
import Tensors

/// Reads videos as they are trained on.
///
/// Videos of more than 16 frames per second are thinned to that rate (a lower rate stays); longer ones are then reduced
/// to the bucket's frames; each frame is resized to the bucket's size, whatever its shape, by PyTorch's bicubic rule.
package struct ClipLoader: Sendable, Equatable {
  package enum Selection: String, Sendable, CaseIterable {
    /// Frames spread over the whole clip.
    case evenly
    /// The beginning of the clip.
    case first
  }

  /// What happens to clips with fewer frames than the bucket.
  package enum ShortClips: String, Sendable {
    /// Frames are repeated, as generation does with references.
    case repeatsFrames = "repeat"
    /// The clip stays short, as in the published training.
    case keepsFrames = "keep"
  }

  package var buckets: [ClipBucket]
  package var selection = Selection.evenly
  package var shortClips = ShortClips.repeatsFrames
  package var reading = ReadingOptions()

  package init(buckets: [ClipBucket]) { self.buckets = buckets }

  /// Names the rules; clips read by loaders of the same description are the same.
  package var description: String {
    let sizes = buckets.map(\.description).joined(separator: " ")
    let corruption = reading.onCorruption == .skip ? ", damaged frames left out" : ""
    return "\(sizes), \(selection.rawValue), \(shortClips.rawValue)\(corruption)"
  }

  /// Throws `DatasetFailure`, `MediaFailure` or `FileFailure`.
  package func load(_ path: String) throws -> PreparedClip {
    let reader = try VideoReader(path: path, options: reading)
    let thinned = FrameSelection.resampledIndices(of: try reader.frameCount(), from: reader.frameRate)
    guard let bucket = ClipBucket.nearest(to: reader.size, frames: thinned.count, of: buckets) else {
      throw DatasetFailure.rules("no size and number of frames is given for clips")
    }
    let clip = try reader.readFrames(at: chosen(of: thinned, for: bucket))
    return PreparedClip(pixels: Self.pixels(of: clip, resizedTo: bucket.size), picture: clip.selecting([0]))
  }

  private func chosen(of indices: [Int], for bucket: ClipBucket) -> [Int] {
    if indices.count == bucket.frames { return indices }
    if indices.count < bucket.frames, shortClips == .keepsFrames { return indices }
    switch indices.count < bucket.frames ? .evenly : selection {
    case .evenly:
      return FrameSelection.evenIndices(selecting: bucket.frames, of: indices.count).map { indices[$0] }
    case .first: return Array(indices.prefix(bucket.frames))
    }
  }

  /// x / 127.5 - 1, resized: `[1, 3, F, H, W]`.
  static func pixels(of clip: VideoClip, resizedTo size: FrameSize) -> Tensor {
    let (frames, area) = (clip.frameCount, size.pixelCount)
    let resizer = clip.size == size ? nil : PlanarBicubic(from: clip.size, to: size)
    return Tensor([1, 3, frames, size.height, size.width]) { output in
      // Some frames at a time: as floats they are large.
      for start in stride(from: 0, to: frames, by: 8) {
        let group = start..<min(start + 8, frames)
        var planes = Self.planes(clip, group)
        if let resizer { planes = resizer.resize(planes, planeCount: 3 * group.count) }
        planes.withUnsafeBufferPointer { planes in
          guard let base = planes.baseAddress else { return }
          for (index, frame) in group.enumerated() {
            for channel in 0..<3 {
              let target = output + (channel * frames + frame) * area
              target.update(from: base + (index * 3 + channel) * area, count: area)
            }
          }
        }
      }
    }
  }

  /// Frames `[F, H, W, 3]` of bytes as planes `[F, 3, H, W]` of values.
  private static func planes(_ clip: VideoClip, _ frames: Range<Int>) -> [Float] {
    let area = clip.size.pixelCount
    let count = frames.count * 3 * area
    return [Float](unsafeUninitializedCapacity: count) { planes, initialized in
      // Sound to share: each frame writes its own planes.
      nonisolated(unsafe) let planes = planes
      Workers.forEach(frames.count) { frame in
        clip.frame(frames.lowerBound + frame).withUnsafeBufferPointer { bytes in
          for pixel in 0..<area {
            for channel in 0..<3 {
              planes[(frame * 3 + channel) * area + pixel] = Float(bytes[pixel * 3 + channel]) / 127.5 - 1
            }
          }
        }
      }
      initialized = count
    }
  }
}
