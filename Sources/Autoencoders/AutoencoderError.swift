import Compute
import Runtime

/// Why a clip cannot be encoded or decoded.
package enum AutoencoderError: Failure, Equatable {
  /// The clip is not `[batch, channels, frames, height, width]` with these channels and at least one frame.
  case wrongShape(Shape, channels: Int)
  /// A frame, or the rest of it in the last tile, is smaller than one latent pixel.
  case tooSmall(height: Int, width: Int, minimum: Int)
  case invalidTiling(field: String, why: String)

  package var category: FailureCategory {
    switch self {
    case .wrongShape, .tooSmall: .badInput
    case .invalidTiling: .usage
    }
  }

  package var message: String {
    switch self {
    case .wrongShape(let shape, let channels):
      "the autoencoder needs a clip [batch, \(channels), frames, height, width] with at least one frame, not \(shape)"
    case .tooSmall(let height, let width, let minimum):
      "a frame or tile of \(height) x \(width) pixels (height x width) is too small for the autoencoder, which needs "
        + "\(minimum) x \(minimum); choose another frame size or tile size"
    case .invalidTiling(let field, let why):
      "tiling: \(field) \(why)"
    }
  }
}
