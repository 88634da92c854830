import Compute
import Encoders
import Media
import Tensors

/// How frames become the square images that CLIP reads, `[F, 3, side, side]`: the shorter side is resized, the middle is
/// kept, channels are normalised.
///
/// VBench has two routes, which give slightly different images; each metric must take its own.
package enum CLIPImages {
  // Means and deviations are the published ones, the same for all sizes of CLIP.
  private static let channels = CLIPImageConfiguration()

  /// By Pillow: bicubic with smoothing, in 8 bits.
  package static func resampled(_ clip: VideoClip, side: Int) -> Tensor {
    cropped(clip, side: side).normalizedTensor(means: channels.means, deviations: channels.deviations)
  }

  /// The 8-bit images of the route by Pillow.
  package static func cropped(_ clip: VideoClip, side: Int) -> VideoClip {
    let crop = CLIPCrop(clip.size, side: side)
    let resized = clip.resized(to: crop.resized, filter: .bicubic)
    var pixels: [UInt8] = []
    pixels.reserveCapacity(clip.frameCount * side * side * 3)
    for frame in 0..<clip.frameCount {
      let bytes = resized.frame(frame)
      for row in 0..<side {
        let start = bytes.startIndex + ((crop.top + row) * crop.resized.width + crop.left) * 3
        pixels += bytes[start..<start + side * 3]
      }
    }
    return VideoClip(size: FrameSize(width: side, height: side), frameRate: clip.frameRate, pixels: pixels)
  }

  /// By tensors: bicubic without smoothing, in float32; values may leave the range of pixels.
  package static func interpolated(_ clip: VideoClip, side: Int) -> Tensor {
    let crop = CLIPCrop(clip.size, side: side)
    let area = clip.size.pixelCount
    let resizing = PlanarBicubic(from: clip.size, to: crop.resized)
    return Tensor([clip.frameCount, 3, side, side]) { output in
      for frame in 0..<clip.frameCount {
        let bytes = Array(clip.frame(frame))
        let planes = (0..<3 * area).map { Float(bytes[$0 % area * 3 + $0 / area]) }
        let resized = resizing.resize(planes, planeCount: 3)
        for channel in 0..<3 {
          let (mean, deviation) = (Float(channels.means[channel]), Float(channels.deviations[channel]))
          for place in 0..<side * side {
            let row = channel * crop.resized.height + crop.top + place / side
            let value = resized[row * crop.resized.width + crop.left + place % side]
            output[(frame * 3 + channel) * side * side + place] = (value / 255 - mean) / deviation
          }
        }
      }
    }
  }
}
