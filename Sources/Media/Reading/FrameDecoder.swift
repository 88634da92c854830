import CFFmpeg
import Runtime

/// One pass over a file: decodes the frames of its best video stream in the order they are shown.
final class FrameDecoder {
  let demuxer: Demuxer
  private let file: InputFile
  private let options: ReadingOptions
  private let codec: CodecContext
  private let packet: Packet
  private let frame: Frame
  private let stop: StopCondition
  private var isDraining = false
  private var damagesOfPacket = 0

  /// Frames returned so far.
  private(set) var frameCount = 0
  /// Packets left out so far, or decoded with errors. Frames predicted from them are kept.
  private(set) var damageCount = 0
  /// Frames that the container declares as not to be shown.
  private(set) var hiddenCount = 0

  init(_ file: InputFile, options: ReadingOptions) throws {
    self.file = file
    self.options = options
    stop = StopCondition(path: file.path, limit: options.limits.duration)
    try stop.check()
    demuxer = try Demuxer(file, options: options, stop: stop)
    packet = try Packet(path: file.path)
    frame = try Frame(path: file.path)
    codec = try CodecContext(demuxer.decoder, path: file.path)
    let context = codec.pointer
    try FFmpeg.check(
      avcodec_parameters_to_context(context, demuxer.stream.pointee.codecpar), "use the stream's parameters",
      path: file.path)
    context.pointee.pkt_timebase = demuxer.stream.pointee.time_base
    context.pointee.max_pixels = Int64(options.limits.pixelCount)
    context.pointee.flags |= AV_CODEC_FLAG_BITEXACT
    context.pointee.err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER
    // PNG and JPEG paint over damage unless told to stop. Video decoders report it either way, and with this flag some
    // decoders refuse what is merely unusual: TIFF, for one, any tag unknown to FFmpeg.
    if [AV_CODEC_ID_PNG, AV_CODEC_ID_APNG, AV_CODEC_ID_MJPEG].contains(demuxer.stream.pointee.codecpar.pointee.codec_id)
    {
      context.pointee.err_recognition |= AV_EF_EXPLODE
    }
    // One thread: with several, FFmpeg 5.1 ends the process on some damaged streams (a failed assertion in
    // libavcodec/decode.c), and which frames around a damaged one survive may depend on timing.
    context.pointee.thread_count = 1
    try FFmpeg.check(avcodec_open2(context, demuxer.decoder, nil), "open the decoder", path: file.path)
  }

  /// The next good frame, valid until the next call; nil at the end.
  func next() throws -> UnsafeMutablePointer<AVFrame>? {
    while true {
      try stop.check()
      let status = avcodec_receive_frame(codec.pointer, frame.pointer)
      switch status {
      case 0:
        if isDamaged(frame.pointer.pointee) {
          try noteDamage("the decoder reports errors in a frame")
          continue
        }
        guard frameCount < options.limits.frameCount else {
          throw MediaFailure.tooManyFrames(path: file.path, limit: options.limits.frameCount)
        }
        let size = FrameSize(width: Int(frame.pointer.pointee.width), height: Int(frame.pointer.pointee.height))
        try options.limits.check(size, path: file.path)
        frameCount += 1
        return frame.pointer
      case vap_error_again: try feed()
      case vap_error_end:
        try file.checkUnchanged()
        return nil
      default: try noteDamage(status)
      }
    }
  }

  /// Gives the decoder one packet, or tells it that there are no more.
  private func feed() throws {
    guard !isDraining else { throw MediaFailure.corrupt(path: file.path, frame: frameCount, reason: "no end") }
    var status = try demuxer.read(into: packet.pointer)
    if status == vap_error_end {
      isDraining = true
      try FFmpeg.check(avcodec_send_packet(codec.pointer, nil), "finish decoding", path: file.path)
      return
    }
    guard status >= 0 else { return try noteDamage(status) }
    defer { av_packet_unref(packet.pointer) }
    damagesOfPacket = 0
    if packet.pointer.pointee.flags & AV_PKT_FLAG_CORRUPT != 0 { try noteDamage("a packet is cut short") }
    if packet.pointer.pointee.flags & AV_PKT_FLAG_DISCARD != 0 { hiddenCount += 1 }
    status = avcodec_send_packet(codec.pointer, packet.pointer)
    if status < 0 { try noteDamage(status) }
  }

  private func isDamaged(_ frame: AVFrame) -> Bool {
    frame.flags & AV_FRAME_FLAG_CORRUPT != 0 || frame.decode_error_flags != 0
  }

  private func noteDamage(_ status: Int32) throws {
    if status == vap_error_no_memory { throw MediaFailure.outOfMemory(path: file.path) }
    try noteDamage(FFmpeg.describe(status))
  }

  /// Throws, or counts the damage, as the policy says.
  private func noteDamage(_ reason: String) throws {
    try stop.check()
    // A file that changed is not blamed for damage.
    try file.checkUnchanged()
    // The packet's flag, the decoder's status and the frame's flags may all speak of the same damage.
    if damagesOfPacket == 0 { damageCount += 1 }
    damagesOfPacket += 1
    // A decoder or container that reports damage again and again without taking data would never end.
    guard options.onCorruption == .skip, damagesOfPacket < 1000 else {
      throw MediaFailure.corrupt(path: file.path, frame: frameCount, reason: reason)
    }
  }
}
