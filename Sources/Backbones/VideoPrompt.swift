import Media
import Tensors

/// Everything a generation starts from, as pixels and captions. Pixel values lie in -1...1.
package struct VideoPrompt: Sendable {
  /// The image whose subject the new video shows, `[1, 3, 1, H, W]`.
  package let image: Tensor
  /// The image at its own size, for models with an image encoder; the one above is shown to it if this is nil.
  package let picture: VideoClip?
  package let caption: String
  package let negativeCaption: String
  /// What takes the place of the references' captions in the unguided half.
  package let negativeReferenceCaption: String
  /// The videos that show the semantic, earliest first; may be empty.
  package let references: [Reference]

  package struct Reference: Sendable {
    /// `[1, 3, F, H, W]`
    package let video: Tensor
    /// Its first frame at its own size, as for the image.
    package let picture: VideoClip?
    package let caption: String

    package init(video: Tensor, picture: VideoClip? = nil, caption: String) {
      self.video = video
      self.picture = picture
      self.caption = caption
    }
  }

  /// - Parameter negativeReferenceCaption: the same as for the target by default.
  package init(
    image: Tensor, picture: VideoClip? = nil, caption: String, negativeCaption: String,
    negativeReferenceCaption: String? = nil, references: [Reference]
  ) {
    self.image = image
    self.picture = picture
    self.caption = caption
    self.negativeCaption = negativeCaption
    self.negativeReferenceCaption = negativeReferenceCaption ?? negativeCaption
    self.references = references
  }
}
