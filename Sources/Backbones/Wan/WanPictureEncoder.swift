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

  /// What published training shows the image encoder in place of a frame, `[3, H, W]`: `[1, I, image size]`.
  package func tokens(of picture: StretchedPicture, context: RunContext) throws -> Tensor {
    try encoder.tokens(of: try pixels(of: picture), context: context)
  }

  /// The middle of pictures as the image encoder takes it, `[F, 3, S, S]`.
  package func pixels(of picture: VideoClip) throws(BackboneFailure) -> Tensor { normalized(try middle(of: picture)) }

  /// As above, `[1, 3, S, S]`.
  package func pixels(of picture: StretchedPicture) throws(BackboneFailure) -> Tensor {
    normalized(try picture.resized(middle))
  }

  private func normalized(_ pictures: VideoClip) -> Tensor {
    pictures.normalizedTensor(means: processor.means, deviations: processor.deviations)
  }

  private func middle(of picture: VideoClip) throws(BackboneFailure) -> VideoClip {
    let (short, long) = (min(picture.width, picture.height), max(picture.width, picture.height))
    // Resized with its shape kept, a picture with much longer sides would need more memory than any frame.
    guard long / short <= 256 else {
      throw .picture(width: picture.width, height: picture.height, limit: 256)
    }
    return picture.resized(shortestSide: processor.shortestSide, filter: .bicubic)
      .centerCropped(to: FrameSize(width: processor.cropWidth, height: processor.cropHeight))
  }
}
