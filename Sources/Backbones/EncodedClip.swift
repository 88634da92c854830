import Runtime
import Tensors

/// What training reads of a clip, as named tensors, so that it can be kept in a file.
///
/// "video" `[1, 2 L, f, h, w]` are the autoencoder's moments of the clip, unscaled, and "text" `[1, T, text size]` is its
/// caption. CogVideoX: "image" `[1, 2 L, 1, h, w]`, the moments of its first frame alone. Wan: "image" `[1, L, f, h, w]`, the
/// means of its first frame and grey ones after it; "picture" `[1, I, image size]`, the image encoder's tokens of it.
package struct EncodedClip: Sendable {
  package let tensors: [String: Tensor]

  package init(tensors: [String: Tensor]) { self.tensors = tensors }
}
