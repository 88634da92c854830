import Media
import Tensors

/// What published training shows the image encoder in place of a frame: each pixel's channels are stretched to 0...1 by
/// themselves, which leaves hues only; and one grey pixel, whose channels cannot be stretched, makes all of the frame
/// black.
package struct StretchedPicture: Sendable {
  /// `[3, H, W]` in 0...1.
  package let channels: Tensor

  /// - Parameter frame: `[3, H, W]`.
  package init(_ frame: Tensor) {
    let area = frame.count / 3
    channels = Tensor(frame.shape) { output in
      frame.withFloats { input in
        for pixel in 0..<area {
          let values = [input[pixel], input[area + pixel], input[2 * area + pixel]]
          let (low, high) = (values.min() ?? 0, values.max() ?? 0)
          // "Equal" as published: within a hundred-thousandth.
          guard abs(low - high) > 1e-8 + 1e-5 * abs(high) else {
            return output.update(repeating: 0, count: 3 * area)
          }
          for channel in 0..<3 { output[channel * area + pixel] = (values[channel] - low) / (high - low) }
        }
      }
    }
  }

  /// The picture resized by a function, as the published image processor does it: as bytes, cut to whole numbers.
  ///
  /// The processor tells by the values whether they are bytes already. Where all are 0 or 1, as in a frame of pure hues, it
  /// takes them for such: nothing between lies in the result, and they stay 0 and 1.
  func resized<Problem: Error>(
    _ resize: (VideoClip) throws(Problem) -> VideoClip
  ) throws(Problem) -> VideoClip {
    let (area, values) = (channels.count / 3, channels.floats())
    let isBinary = values.allSatisfy { $0 <= 1e-8 || $0 == 1 }
    let size = FrameSize(width: channels.shape[2], height: channels.shape[1])
    func clip(_ size: FrameSize, _ pixels: [UInt8]) -> VideoClip {
      VideoClip(size: size, frameRate: .training, pixels: pixels)
    }
    let bytes = (0..<3 * area).map { UInt8(Float(Double(values[$0 % 3 * area + $0 / 3]) * (isBinary ? 1 : 255))) }
    let result = try resize(clip(size, bytes))
    return isBinary ? clip(result.size, result.pixels.map { $0 * 255 }) : result
  }
}
