import Runtime
import Tensors

/// What training reads of a clip, as named tensors, so that it can be kept in a file.
///
/// CogVideoX: "video" `[1, 2 L, f, h, w]` and "image" `[1, 2 L, 1, h, w]`, the autoencoder's moments of the clip and of its
/// first frame, unscaled; "text" `[1, T, text size]`.
package struct EncodedClip: Sendable {
  package let tensors: [String: Tensor]

  package init(tensors: [String: Tensor]) { self.tensors = tensors }
}
