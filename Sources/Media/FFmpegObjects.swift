import CFFmpeg
import Runtime

/// Calls into FFmpeg that every wrapper of this target uses.
enum FFmpeg {
  /// Keeps FFmpeg's own messages off the user's terminal; its status codes say the same. Runs once.
  static let silenced: Void = av_log_set_level(AV_LOG_QUIET)

  /// FFmpeg's sentence for a negative status.
  static func describe(_ status: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
      av_strerror(status, buffer.baseAddress!, buffer.count)
      return String(cString: buffer.baseAddress!)
    }
  }

  /// Throws unless `status` is zero or positive, which it returns.
  @discardableResult
  static func check(_ status: Int32, _ action: String, path: String) throws(MediaFailure) -> Int32 {
    guard status < 0 else { return status }
    if status == vap_error_no_memory { throw .outOfMemory(path: path) }
    throw .library(path: path, action: action, reason: describe(status))
  }
}

/// Owns an `AVPacket`.
final class Packet {
  let pointer: UnsafeMutablePointer<AVPacket>

  init(path: String) throws(MediaFailure) {
    guard let pointer = av_packet_alloc() else { throw .outOfMemory(path: path) }
    self.pointer = pointer
  }

  deinit {
    var pointer: UnsafeMutablePointer<AVPacket>? = pointer
    av_packet_free(&pointer)
  }
}

/// Owns an `AVFrame`.
final class Frame {
  let pointer: UnsafeMutablePointer<AVFrame>

  init(path: String) throws(MediaFailure) {
    guard let pointer = av_frame_alloc() else { throw .outOfMemory(path: path) }
    self.pointer = pointer
  }

  /// A frame with memory for its pixels, padded as FFmpeg's vector code needs it.
  convenience init(_ size: FrameSize, format: AVPixelFormat, path: String) throws(MediaFailure) {
    try self.init(path: path)
    pointer.pointee.width = Int32(clamping: size.width)
    pointer.pointee.height = Int32(clamping: size.height)
    pointer.pointee.format = format.rawValue
    try FFmpeg.check(av_frame_get_buffer(pointer, 0), "allocate a frame of \(size)", path: path)
  }

  deinit {
    var pointer: UnsafeMutablePointer<AVFrame>? = pointer
    av_frame_free(&pointer)
  }
}

/// Owns an `AVCodecContext`.
final class CodecContext {
  let pointer: UnsafeMutablePointer<AVCodecContext>

  init(_ codec: UnsafePointer<AVCodec>, path: String) throws(MediaFailure) {
    guard let pointer = avcodec_alloc_context3(codec) else { throw .outOfMemory(path: path) }
    self.pointer = pointer
  }

  deinit {
    var pointer: UnsafeMutablePointer<AVCodecContext>? = pointer
    avcodec_free_context(&pointer)
  }
}

/// Owns a dictionary of string options or metadata.
struct OptionDictionary: ~Copyable {
  var pointer: OpaquePointer?

  init(_ entries: [String: String] = [:]) {
    for (key, value) in entries.sorted(by: { $0.key < $1.key }) { av_dict_set(&pointer, key, value, 0) }
  }

  deinit {
    var pointer = pointer
    av_dict_free(&pointer)
  }
}

/// Owns a scaler that converts frames of one size and format into another.
final class Scaler {
  let pointer: OpaquePointer

  /// What both sides must be told apart by: pixels, and how luma and chroma are coded.
  struct Form: Equatable {
    var size: FrameSize
    var format: AVPixelFormat
    /// `SWS_CS_*`; used for YUV only.
    var matrix: Int32 = SWS_CS_ITU601
    /// Luma from 0 to 255 instead of 16 to 235.
    var isFullRange = true
  }

  /// Both forms must have the same size: resizing is done by `VideoClip.resized`.
  init(from source: Form, to target: Form, chroma: ChromaReading = .interpolated, path: String) throws(MediaFailure) {
    let flags =
      switch chroma {
      // Exact rounding and plain C results on every processor.
      case .interpolated: SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP
      case .repeated: SWS_BICUBIC | SWS_BITEXACT
      }
    guard
      let pointer = sws_getContext(
        Int32(clamping: source.size.width), Int32(clamping: source.size.height), source.format,
        Int32(clamping: target.size.width), Int32(clamping: target.size.height), target.format, flags, nil, nil, nil)
    else {
      let name = av_get_pix_fmt_name(source.format).map { String(cString: $0) } ?? "unknown"
      throw .library(path: path, action: "convert pixels", reason: "no conversion from the pixel format \(name)")
    }
    self.pointer = pointer
    // Refused for pairs without YUV, where it has no meaning.
    _ = sws_setColorspaceDetails(
      pointer, sws_getCoefficients(source.matrix), source.isFullRange ? 1 : 0, sws_getCoefficients(target.matrix),
      target.isFullRange ? 1 : 0, 0, 1 << 16, 1 << 16)
  }

  deinit { sws_freeContext(pointer) }

  /// Converts all rows of `source` into `target`.
  func convert(
    _ source: UnsafePointer<AVFrame>, into target: UnsafeMutablePointer<AVFrame>, path: String
  ) throws(MediaFailure) {
    try FFmpeg.check(sws_scale_frame(pointer, target, source), "convert pixels", path: path)
  }
}
