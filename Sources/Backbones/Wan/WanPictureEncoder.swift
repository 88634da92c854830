import Encoders
import Layers
import Media
import Tensors

/// The image encoder of a Wan pipeline, with the preparation of pictures that precedes it.
package struct WanPictureEncoder: Sendable {
  private let encoder: CLIPVisionEncoder
  private let processor: CLIPImageConfiguration

  package init(_ encoder: CLIPVisionEncoder, _ processor: CLIPImageConfiguration) {
    self.encoder = encoder
    self.processor = processor
  }

  /// What the transformer reads of the first frame of `picture`: `[1, I, image size]`.
  package func tokens(of picture: VideoClip, context: RunContext) throws -> Tensor {
    try encoder.tokens(of: try pixels(of: picture.selecting([0])), context: context)
  }

  /// The middle of pictures as the image encoder takes it, `[F, 3, S, S]`.
  package func pixels(of picture: VideoClip) throws(BackboneFailure) -> Tensor {
    let (short, long) = (min(picture.width, picture.height), max(picture.width, picture.height))
    // Resized with its shape kept, a picture with much longer sides would need more memory than any frame.
    guard long / short <= 256 else {
      throw .picture(width: picture.width, height: picture.height, limit: 256)
    }
    return picture.resized(shortestSide: processor.shortestSide, filter: .bicubic)
      .centerCropped(to: FrameSize(width: processor.cropWidth, height: processor.cropHeight))
      .normalizedTensor(means: processor.means, deviations: processor.deviations)
  }
}

/// What published training shows the image encoder in place of a frame: each pixel's channels are stretched to 0...1 by
/// themselves, which leaves hues only; and one grey pixel, whose channels cannot be stretched, makes all of the frame
/// black.
package enum StretchedPicture {
  /// - Parameter frame: `[3, H, W]`.
  /// - Returns: `[3, H, W]` in 0...1.
  package static func channels(_ frame: Tensor) -> Tensor {
    let area = frame.count / 3
    return Tensor(frame.shape) { output in
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

  /// The same as bytes, cut to whole numbers.
  package static func clip(_ frame: Tensor) -> VideoClip {
    let area = frame.count / 3
    let values = channels(frame).floats()
    return VideoClip(
      size: FrameSize(width: frame.shape[2], height: frame.shape[1]), frameRate: .training,
      pixels: (0..<3 * area).map { UInt8(Float(Double(values[$0 % 3 * area + $0 / 3]) * 255)) })
  }
}
