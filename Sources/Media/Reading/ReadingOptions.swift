/// What to do with frames whose data is damaged.
package enum CorruptionPolicy: String, Sendable, CaseIterable {
  /// Refuse the file.
  case fail
  /// Leave damaged frames out and count them.
  case skip
}

/// Bounds that a file must keep before memory and time are spent on it.
package struct ReadingLimits: Sendable, Equatable {
  /// Longest side of a frame in pixels.
  package var sideLength = 16_384
  /// Most pixels of a frame.
  package var pixelCount = 16_384 * 16_384
  /// Most frames that are decoded in one pass over a file.
  package var frameCount = 1_000_000
  /// Most bytes of the frames kept in memory by one call.
  package var clipByteCount = 8 << 30
  /// Longest time that one pass over a file may take; looked at before each packet and frame.
  package var duration = Duration.seconds(600)

  package init() {}

  /// Throws if frames of this size are refused.
  func check(_ size: FrameSize, path: String) throws(MediaFailure) {
    let (count, overflow) = size.width.multipliedReportingOverflow(by: size.height)
    guard size.width <= sideLength, size.height <= sideLength, !overflow, count <= pixelCount else {
      throw .frameTooLarge(path: path, size: size, limit: self)
    }
  }
}

/// How colours that are stored for fewer points than brightness become those of all pixels.
package enum ChromaReading: Sendable {
  /// Smoothly.
  case interpolated
  /// Each for the pixels nearest to it, with the rounding of FFmpeg's fast path: what OpenCV and decord read, so that
  /// numbers computed on their frames can be met.
  case repeated
}

package struct ReadingOptions: Sendable, Equatable {
  package var onCorruption = CorruptionPolicy.fail
  package var chroma = ChromaReading.interpolated
  package var limits = ReadingLimits()

  package init() {}
}

/// What a user should know of a file that was read all the same.
package enum MediaWarning: Sendable, Hashable, CustomStringConvertible {
  /// Bright colours were cut to the ordinary range without tone mapping.
  case highDynamicRange(transfer: String)
  /// Frames hold two fields each, which stay woven.
  case interlaced
  /// Pixels are shown `ratio` times as wide as high; the stored grid of pixels is kept.
  case nonSquarePixels(ratio: Double)
  /// From this frame on frames were resized to the size of the first.
  case sizeChanged(frame: Int, size: FrameSize)
  case skippedDamaged(count: Int)
  case frameCountDiffers(declared: Int, decoded: Int)
  /// The header declares a longer video than the file holds; it may have been cut.
  case endsEarly(declaredSeconds: Double, decodedSeconds: Double)
  case frameRateUnknown(assumed: FrameRate)
  case variableFrameRate
  /// Frames without a time, or with one that does not follow the frame before.
  case irregularTimestamps(count: Int)

  package var description: String {
    switch self {
    case .highDynamicRange(let transfer): "high dynamic range (\(transfer)) is converted without tone mapping"
    case .interlaced: "interlaced frames are used as they are"
    case .nonSquarePixels(let ratio):
      "pixels are not square (\(Self.rounded(ratio)) wide for 1 high); the stored pixels are used"
    case .sizeChanged(let frame, let size): "frame size changes to \(size) at frame \(frame); resized to the first"
    case .skippedDamaged(let count): "\(count) damaged frames or packets were skipped"
    case .frameCountDiffers(let declared, let decoded): "the file declares \(declared) frames and holds \(decoded)"
    case .endsEarly(let declared, let decoded):
      "the file declares \(Self.rounded(declared)) s of video and holds \(Self.rounded(decoded)) s"
    case .frameRateUnknown(let assumed): "the frame rate is missing or absurd; \(assumed) frames per second assumed"
    case .variableFrameRate: "the frame rate varies; frames are used in order whatever their times"
    case .irregularTimestamps(let count): "\(count) frames lack a usable time; frames are used in decoding order"
    }
  }

  private static func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}
