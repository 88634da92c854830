import Tensors

/// A clip brought to a model's size and number of frames, as it is trained on.
package struct PreparedClip: Sendable {
  /// `[1, 3, F, H, W]`, values about -1...1; resizing may overshoot.
  package let pixels: Tensor
  /// The first frame at its own size, for models with an image encoder.
  package let picture: VideoClip

  package init(pixels: Tensor, picture: VideoClip) {
    self.pixels = pixels
    self.picture = picture
  }
}
