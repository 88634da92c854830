import Media
import Tensors

extension VideoClip {
  /// Stored images `[H, W, 3]` or videos `[F, H, W, 3]` of unsigned bytes.
  init(bytes: Tensor) throws {
    guard bytes.dtype == .uint8, bytes.rank == 3 || bytes.rank == 4, bytes.shape[-1] == 3, bytes.count > 0 else {
      throw GoldenFailure(path: "a stored video", problem: "has shape \(bytes.shape) and type \(bytes.dtype.rawValue)")
    }
    self.init(
      size: FrameSize(width: bytes.shape[-2], height: bytes.shape[-3]), frameRate: .training,
      pixels: bytes.integers().map { UInt8($0) })
  }
}
