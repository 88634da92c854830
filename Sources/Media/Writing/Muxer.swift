import CFFmpeg
import Runtime

/// Writes encoded packets of one video stream into a container; owns the `AVFormatContext`.
final class Muxer {
  private let path: String
  private let output: OutputContext
  private let pointer: UnsafeMutablePointer<AVFormatContext>
  private var stream: UnsafeMutablePointer<AVStream>?
  private var needsTrailer = false
  private var encoderTimeBase = AVRational(num: 1, den: 1)

  /// - Parameters:
  ///   - container: FFmpeg's short name of the format, such as "mp4".
  ///   - path: the name under which the user knows the file.
  init(container: String, file: OutputFile, path: String) throws(MediaFailure) {
    self.path = path
    output = try OutputContext(file, writes: true)
    var context: UnsafeMutablePointer<AVFormatContext>?
    try FFmpeg.check(
      avformat_alloc_output_context2(&context, nil, container, nil), "write the format '\(container)'", path: path)
    guard let context else { throw .outOfMemory(path: path) }
    pointer = context
    pointer.pointee.pb = output.pointer
    // No time stamps, versions or random identifiers: the same frames give the same bytes.
    pointer.pointee.flags |= AVFMT_FLAG_BITEXACT
    pointer.pointee.opaque = Unmanaged.passUnretained(output).toOpaque()
    pointer.pointee.io_open = { context, result, _, flags, _ in
      guard flags & AVIO_FLAG_WRITE == 0, let opaque = context?.pointee.opaque else { return vap_error_not_permitted }
      let file = Unmanaged<OutputContext>.fromOpaque(opaque).takeUnretainedValue().file
      guard let reader = try? OutputContext(file, writes: false) else { return vap_error_no_memory }
      result?.pointee = reader.pointer
      // Balanced in io_close2, which gets every context opened here.
      _ = Unmanaged.passRetained(reader)
      return 0
    }
    pointer.pointee.io_close2 = { _, reader in
      if let opaque = reader?.pointee.opaque { Unmanaged<OutputContext>.fromOpaque(opaque).release() }
      return 0
    }
  }

  deinit {
    // Some muxers free the packets they hold only here; the unfinished file is thrown away.
    if needsTrailer { av_write_trailer(pointer) }
    avformat_free_context(pointer)
  }

  /// Encoders must put their parameters into the header rather than into each key frame.
  var needsGlobalHeader: Bool { pointer.pointee.oformat.pointee.flags & AVFMT_GLOBALHEADER != 0 }

  /// Declares the stream of an opened encoder and writes the head of the file.
  func begin(_ codec: CodecContext, frameRate: FrameRate, metadata: [String: String], options: [String: String]) throws
  {
    guard let stream = avformat_new_stream(pointer, nil) else { throw MediaFailure.outOfMemory(path: path) }
    self.stream = stream
    try FFmpeg.check(
      avcodec_parameters_from_context(stream.pointee.codecpar, codec.pointer), "describe the stream", path: path)
    stream.pointee.time_base = codec.pointer.pointee.time_base
    stream.pointee.avg_frame_rate = AVRational(num: Int32(frameRate.numerator), den: Int32(frameRate.denominator))
    encoderTimeBase = codec.pointer.pointee.time_base
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
      try FFmpeg.check(av_dict_set(&pointer.pointee.metadata, key, value, 0), "store metadata", path: path)
    }
    var options = OptionDictionary(options)
    let status = avformat_write_header(pointer, &options.pointer)
    needsTrailer = status >= 0
    try check(status, "write the header")
  }

  /// Takes the packet's contents.
  func write(_ packet: Packet) throws {
    guard let stream else { return }
    packet.pointer.pointee.stream_index = stream.pointee.index
    av_packet_rescale_ts(packet.pointer, encoderTimeBase, stream.pointee.time_base)
    try check(av_interleaved_write_frame(pointer, packet.pointer), "write a frame")
  }

  /// Writes the end of the file; it is complete only if this returns.
  func finish() throws {
    needsTrailer = false
    try check(av_write_trailer(pointer), "finish the file")
    avio_flush(output.pointer)
    try check(output.pointer?.pointee.error ?? 0, "finish the file")
  }

  /// Prefers the system's reason of a failed write to FFmpeg's status, which some muxers drop.
  private func check(_ status: Int32, _ action: String) throws {
    if let failure = output.file.failure { throw FileFailure(path: path, action: "write", code: failure.code) }
    try FFmpeg.check(status, action, path: path)
  }
}
