import CFFmpeg

/// Which encoder makes a file, and from what kind of pixels.
struct EncoderRecipe {
  let encoder: String
  let pixelFormat: AVPixelFormat
  var options: [String: String] = [:]
  /// The Debian package that brings the encoder.
  var package = "libavcodec59"

  /// H.264 as players expect it.
  ///
  /// Without x264's macroblock tree, whose vector code (of version 164) reads memory that nobody wrote: with it the bytes
  /// depend on what the process did before.
  static func h264(quality: Int) -> EncoderRecipe {
    EncoderRecipe(
      encoder: "libx264", pixelFormat: AV_PIX_FMT_YUV420P,
      options: ["crf": "\(quality)", "preset": "medium", "mbtree": "0"],
      package: "libx264-164 with libavcodec59")
  }

  /// Lossless: RGB in 32-bit words, with checksums. The number of slices is given, as it otherwise follows the threads;
  /// small frames cannot be cut into four.
  static func ffv1(for size: FrameSize) -> EncoderRecipe {
    let slices = min(size.width, size.height) < 64 ? "1" : "4"
    return EncoderRecipe(
      encoder: "ffv1", pixelFormat: AV_PIX_FMT_BGR0, options: ["level": "3", "slices": slices, "slicecrc": "1"])
  }

  static let gif = EncoderRecipe(encoder: "gif", pixelFormat: AV_PIX_FMT_PAL8)
  static let png = EncoderRecipe(encoder: "png", pixelFormat: AV_PIX_FMT_RGB24, options: ["pred": "mixed"])
}

/// Encodes frames; the same frames give the same packets on any number of processors.
final class FrameEncoder {
  let codec: CodecContext
  private let path: String
  private let packet: Packet

  /// - Parameter timeBase: seconds per unit of the frames' time stamps.
  init(
    _ recipe: EncoderRecipe, size: FrameSize, timeBase: AVRational, frameRate: FrameRate, globalHeader: Bool = false,
    path: String
  ) throws(MediaFailure) {
    _ = FFmpeg.silenced
    self.path = path
    packet = try Packet(path: path)
    guard let encoder = avcodec_find_encoder_by_name(recipe.encoder) else {
      throw .missingEncoder(path: path, encoder: recipe.encoder, package: recipe.package)
    }
    codec = try CodecContext(encoder, path: path)
    let context = codec.pointer
    context.pointee.width = Int32(clamping: size.width)
    context.pointee.height = Int32(clamping: size.height)
    context.pointee.pix_fmt = recipe.pixelFormat
    context.pointee.time_base = timeBase
    context.pointee.framerate = AVRational(num: Int32(frameRate.numerator), den: Int32(frameRate.denominator))
    context.pointee.sample_aspect_ratio = AVRational(num: 1, den: 1)
    context.pointee.thread_count = 1
    context.pointee.flags |= AV_CODEC_FLAG_BITEXACT | (globalHeader ? AV_CODEC_FLAG_GLOBAL_HEADER : 0)
    if recipe.pixelFormat == AV_PIX_FMT_YUV420P {
      context.pointee.colorspace = AVCOL_SPC_BT709
      context.pointee.color_primaries = AVCOL_PRI_BT709
      context.pointee.color_trc = AVCOL_TRC_BT709
      context.pointee.color_range = AVCOL_RANGE_MPEG
    }
    var options = OptionDictionary(recipe.options)
    try FFmpeg.check(
      avcodec_open2(context, encoder, &options.pointer), "open the encoder '\(recipe.encoder)' for \(size)", path: path)
  }

  /// Encodes a frame, or with nil the frames still held back, and passes on each finished packet.
  func encode(_ frame: Frame?, _ body: (Packet) throws -> Void) throws {
    try FFmpeg.check(avcodec_send_frame(codec.pointer, frame?.pointer), "encode a frame", path: path)
    while true {
      let status = avcodec_receive_packet(codec.pointer, packet.pointer)
      if status == vap_error_again || status == vap_error_end { return }
      try FFmpeg.check(status, "encode a frame", path: path)
      if packet.pointer.pointee.duration == 0 { packet.pointer.pointee.duration = 1 }
      try body(packet)
    }
  }
}

/// Copies frames of a clip into FFmpeg frames of the pixel format that an encoder takes.
final class FrameSource {
  private let clip: VideoClip
  private let format: AVPixelFormat
  private let path: String
  private let scaler: Scaler?
  private let palette: ColorPalette?

  init(_ clip: VideoClip, format: AVPixelFormat, path: String) throws {
    self.clip = clip
    self.format = format
    self.path = path
    palette = format == AV_PIX_FMT_PAL8 ? ColorPalette(of: clip) : nil
    guard format != AV_PIX_FMT_RGB24, format != AV_PIX_FMT_PAL8 else {
      scaler = nil
      return
    }
    let isYUV = format == AV_PIX_FMT_YUV420P
    scaler = try Scaler(
      from: Scaler.Form(size: clip.size, format: AV_PIX_FMT_RGB24),
      to: Scaler.Form(
        size: clip.size, format: format, matrix: isYUV ? SWS_CS_ITU709 : SWS_CS_ITU601, isFullRange: !isYUV), path: path
    )
  }

  func frame(_ index: Int, time: Int64) throws -> Frame {
    // The vector code of the scaler and encoders reads past the ends of rows, so it gets a padded copy.
    let source = try Frame(clip.size, format: palette == nil ? AV_PIX_FMT_RGB24 : AV_PIX_FMT_PAL8, path: path)
    guard let data = source.pointer.pointee.data.0 else { throw MediaFailure.outOfMemory(path: path) }
    let stride = Int(source.pointer.pointee.linesize.0)
    if let palette, let colors = source.pointer.pointee.data.1 {
      clip.frame(index).withUnsafeBufferPointer { pixels in
        for y in 0..<clip.height { palette.writeIndices(ofRow: y, pixels, width: clip.width, to: data + y * stride) }
      }
      colors.withMemoryRebound(to: UInt32.self, capacity: 256) { $0.update(from: palette.entries, count: 256) }
    } else {
      clip.frame(index).withUnsafeBufferPointer { pixels in
        for y in 0..<clip.height {
          (data + y * stride).update(from: pixels.baseAddress! + y * clip.width * 3, count: clip.width * 3)
        }
      }
    }
    var result = source
    if let scaler {
      result = try Frame(clip.size, format: format, path: path)
      try scaler.convert(source.pointer, into: result.pointer, path: path)
    }
    result.pointer.pointee.pts = time
    if format == AV_PIX_FMT_YUV420P {
      result.pointer.pointee.colorspace = AVCOL_SPC_BT709
      result.pointer.pointee.color_range = AVCOL_RANGE_MPEG
    }
    return result
  }
}
