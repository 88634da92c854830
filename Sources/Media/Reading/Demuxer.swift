import CFFmpeg
import Runtime

/// Opens a container and hands out the packets of its best video stream.
///
/// Only containers that hold their pictures in themselves are opened, and whatever asks for another file or address
/// while one is read is refused.
final class Demuxer {
  private let path: String
  private let input: InputContext
  private let format: FormatContext
  /// Short name of the container format.
  let formatName: String
  let stream: UnsafeMutablePointer<AVStream>
  let decoder: UnsafePointer<AVCodec>

  private static let videoFormats: Set<String> = [
    "apng", "asf", "av1", "avi", "avs2", "cavsvideo", "dv", "flv", "gif", "h261", "h263", "h264", "hevc", "ivf", "m4v",
    "matroska,webm", "mjpeg", "mov,mp4,m4a,3gp,3g2,mj2", "mpeg", "mpegts", "mpegvideo", "mxf", "nut", "obu", "ogg",
    "rm",
    "vc1", "wtv", "yuv4mpegpipe",
  ]
  private static let imageFormats: Set<String> = [
    "bmp_pipe", "dds_pipe", "dpx_pipe", "exr_pipe", "gif_pipe", "ico", "j2k_pipe", "jpeg_pipe", "jpegls_pipe",
    "jpegxl_pipe", "pam_pipe", "pbm_pipe", "pcx_pipe", "pgm_pipe", "png_pipe", "ppm_pipe", "psd_pipe", "qoi_pipe",
    "sgi_pipe", "sunrast_pipe", "tiff_pipe", "webp_pipe", "xbm_pipe", "xpm_pipe", "xwd_pipe",
  ]
  private static let playlistFormats: Set<String> = [
    "concat", "dash", "hls", "imf", "mpjpeg", "rtsp", "sdp", "webm_dash_manifest",
  ]

  init(_ file: InputFile, options: ReadingOptions, stop: StopCondition) throws {
    _ = FFmpeg.silenced
    path = file.path
    guard file.size > 0 else { throw MediaFailure.emptyFile(path: path) }
    input = try InputContext(file, stop: stop)
    do {
      let kind = try Self.probe(input, path: path)
      formatName = String(cString: kind.pointee.name)
      format = try FormatContext(input, kind: kind, limits: options.limits, path: path)
      (stream, decoder) = try Self.bestStream(of: format, limits: options.limits, path: path)
    } catch {
      // A stop or a failing disk shows up as some other status further up.
      try stop.check()
      if let failure = input.failure { throw failure }
      throw error
    }
    for index in 0..<Int(format.pointer.pointee.nb_streams) where index != Int(stream.pointee.index) {
      format.pointer.pointee.streams[index]?.pointee.discard = AVDISCARD_ALL
    }
  }

  /// A single image rather than a sequence of frames.
  var isImage: Bool { Self.imageFormats.contains(formatName) }

  /// Frames that the header declares, if it does.
  var declaredFrameCount: Int? {
    guard stream.pointee.nb_frames > 0 else { return nil }
    let declared = Int(clamping: stream.pointee.nb_frames)
    // The index of an MP4 leaves out frames that its edit list cuts away.
    let indexed = Int(avformat_index_get_entries_count(stream))
    return formatName.hasPrefix("mov") && indexed > 0 ? min(declared, indexed) : declared
  }

  /// Seconds of video that the header declares; nil if it does not, or if they may be those of another stream.
  var declaredSeconds: Double? {
    let format = format.pointer.pointee
    guard format.nb_streams == 1, format.duration > 0,
      format.duration_estimation_method != AVFMT_DURATION_FROM_BITRATE
    else { return nil }
    return Double(format.duration) / Double(AV_TIME_BASE)
  }

  /// Reads the next packet of the stream.
  ///
  /// - Returns: zero, the end-of-file status, or another status that stands for damaged data.
  func read(into packet: UnsafeMutablePointer<AVPacket>) throws -> Int32 {
    while true {
      try input.stop.check()
      let status = av_read_frame(format.pointer, packet)
      if status == vap_error_exit { try input.stop.check() }
      // Some containers take a failing read for the end of the file.
      if status < 0, let failure = input.failure { throw failure }
      if status == vap_error_no_memory { throw MediaFailure.outOfMemory(path: path) }
      if status == vap_error_again { continue }
      guard status >= 0 else { return status }
      if packet.pointee.stream_index == stream.pointee.index { return 0 }
      av_packet_unref(packet)
    }
  }

  // MARK: - Opening

  private static func probe(_ input: InputContext, path: String) throws -> UnsafePointer<AVInputFormat> {
    var kind: UnsafePointer<AVInputFormat>?
    // An empty name: the format is told from the contents alone.
    let status = av_probe_input_buffer2(input.pointer, &kind, "", nil, 0, 0)
    guard status >= 0, let kind else {
      throw MediaFailure.notMedia(path: path, reason: "its contents have no known format")
    }
    let name = String(cString: kind.pointee.name)
    if playlistFormats.contains(name) { throw MediaFailure.playlist(path: path, format: name) }
    guard videoFormats.contains(name) || imageFormats.contains(name) else {
      throw MediaFailure.unsupportedFormat(
        path: path, format: kind.pointee.long_name.map { String(cString: $0) } ?? name)
    }
    return kind
  }

  private static func bestStream(
    of format: FormatContext, limits: ReadingLimits, path: String
  ) throws -> (UnsafeMutablePointer<AVStream>, UnsafePointer<AVCodec>) {
    let streams = (0..<Int(format.pointer.pointee.nb_streams)).compactMap { format.pointer.pointee.streams[$0] }
    // Cover pictures of music files are no video.
    let isVideo = { (stream: UnsafeMutablePointer<AVStream>) in
      stream.pointee.codecpar.pointee.codec_type == AVMEDIA_TYPE_VIDEO
        && stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC == 0
    }
    let best = av_find_best_stream(format.pointer, AVMEDIA_TYPE_VIDEO, -1, -1, nil, 0)
    var chosen = streams.first(where: isVideo)
    if best >= 0, Int(best) < streams.count, isVideo(streams[Int(best)]) { chosen = streams[Int(best)] }
    guard let stream = chosen else { throw MediaFailure.noVideo(path: path, streamCount: streams.count) }
    let parameters = stream.pointee.codecpar.pointee
    guard let decoder = avcodec_find_decoder(parameters.codec_id) else {
      throw MediaFailure.missingDecoder(path: path, codec: String(cString: avcodec_get_name(parameters.codec_id)))
    }
    try limits.check(FrameSize(width: Int(parameters.width), height: Int(parameters.height)), path: path)
    return (stream, decoder)
  }
}

/// Owns an `AVFormatContext` for reading.
final class FormatContext {
  let pointer: UnsafeMutablePointer<AVFormatContext>
  // Kept alive: the context reads through it until it is closed.
  private let input: InputContext

  init(_ input: InputContext, kind: UnsafePointer<AVInputFormat>, limits: ReadingLimits, path: String) throws {
    guard let context = avformat_alloc_context() else { throw MediaFailure.outOfMemory(path: path) }
    context.pointee.pb = input.pointer
    context.pointee.io_open = { _, _, _, _, _ in vap_error_not_permitted }
    context.pointee.interrupt_callback = AVIOInterruptCB(
      callback: { opaque in
        guard let opaque else { return 0 }
        return Unmanaged<StopCondition>.fromOpaque(opaque).takeUnretainedValue().isReached ? 1 : 0
      }, opaque: Unmanaged.passUnretained(input.stop).toOpaque())
    var pointer: UnsafeMutablePointer<AVFormatContext>? = context
    var options = OptionDictionary([
      "format_whitelist": String(cString: kind.pointee.name), "protocol_whitelist": "none",
    ])
    // Frees the context if it fails.
    let status = avformat_open_input(&pointer, "", kind, &options.pointer)
    guard status >= 0, let pointer else {
      throw MediaFailure.notMedia(path: path, reason: FFmpeg.describe(status))
    }
    self.pointer = pointer
    self.input = input
    // Now, as FFmpeg clears sizes that it cannot handle when it tries them.
    for index in 0..<Int(pointer.pointee.nb_streams) {
      guard let parameters = pointer.pointee.streams[index]?.pointee.codecpar.pointee else { continue }
      try limits.check(FrameSize(width: Int(parameters.width), height: Int(parameters.height)), path: path)
    }
    try findStreams(limits: limits, path: path)
  }

  deinit {
    var pointer: UnsafeMutablePointer<AVFormatContext>? = pointer
    avformat_close_input(&pointer)
  }

  /// Lets FFmpeg decode the first frames of each stream to learn sizes and rates, under the same limits as later.
  private func findStreams(limits: ReadingLimits, path: String) throws {
    let count = Int(pointer.pointee.nb_streams)
    var options = [OpaquePointer?](repeating: nil, count: count + 1)
    for index in 0..<count {
      av_dict_set_int(&options[index], "max_pixels", Int64(limits.pixelCount), 0)
      av_dict_set_int(&options[index], "threads", 1, 0)
    }
    let status = avformat_find_stream_info(pointer, &options)
    for index in 0..<count { av_dict_free(&options[index]) }
    guard status >= 0 else { throw MediaFailure.notMedia(path: path, reason: FFmpeg.describe(status)) }
  }
}
