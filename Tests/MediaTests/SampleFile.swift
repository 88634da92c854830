import CFFmpeg
import Foundation

@testable import Media

/// A file made with FFmpeg's encoders and muxers, for inputs that `VideoWriter` does not write.
struct SampleFile {
  var container = "matroska"
  var encoder = "ffv1"
  var pixelFormat = AV_PIX_FMT_BGR0
  var size = FrameSize(width: 16, height: 16)
  var frameCount = 4
  var timeBase = AVRational(num: 1, den: 16)
  var codecOptions: [String: String] = [:]
  var muxerOptions: [String: String] = [:]
  /// Other streams beside the video: as many of sound, with one silent sample each.
  var audioStreamCount = 0
  var hasVideo = true
  /// Time stamps of the packets in units of `timeBase`.
  var time: (Int) -> Int64 = { Int64($0) }
  /// Changes the codec context before it is opened.
  var configure: (UnsafeMutablePointer<AVCodecContext>) -> Void = { _ in }
  /// Changes the stream before the header is written.
  var configureStream: (UnsafeMutablePointer<AVStream>) -> Void = { _ in }
  /// Fills a frame of `pixelFormat`.
  var fill: (UnsafeMutablePointer<AVFrame>, Int) -> Void = { _, _ in }
  /// Changes the bytes of a packet.
  var damage: (UnsafeMutableBufferPointer<UInt8>, Int) -> Void = { _, _ in }

  /// Encodes and muxes; makes an image's file if `container` is empty.
  func write(to path: String) throws {
    let codec = try makeCodec(path: path)
    guard !container.isEmpty else {
      var data = Data()
      for packet in try encode(codec, path: path) {
        data.append(packet.pointer.pointee.data, count: Int(packet.pointer.pointee.size))
      }
      try data.write(to: URL(fileURLWithPath: path))
      return
    }
    var format: UnsafeMutablePointer<AVFormatContext>?
    try FFmpeg.check(avformat_alloc_output_context2(&format, nil, container, path), "make", path: path)
    guard let format else { throw MediaFailure.outOfMemory(path: path) }
    defer { avformat_free_context(format) }
    try FFmpeg.check(avio_open(&format.pointee.pb, "file:" + path, AVIO_FLAG_WRITE), "open", path: path)
    defer { avio_closep(&format.pointee.pb) }
    var stream: UnsafeMutablePointer<AVStream>?
    if hasVideo, let video = avformat_new_stream(format, nil) {
      try FFmpeg.check(avcodec_parameters_from_context(video.pointee.codecpar, codec.pointer), "copy", path: path)
      video.pointee.time_base = timeBase
      video.pointee.sample_aspect_ratio = codec.pointer.pointee.sample_aspect_ratio
      configureStream(video)
      stream = video
    }
    for _ in 0..<audioStreamCount {
      let parameters = avformat_new_stream(format, nil).pointee.codecpar!
      parameters.pointee.codec_type = AVMEDIA_TYPE_AUDIO
      parameters.pointee.codec_id = AV_CODEC_ID_PCM_S16LE
      parameters.pointee.sample_rate = 8000
      parameters.pointee.bits_per_coded_sample = 16
      parameters.pointee.block_align = 2
      av_channel_layout_default(&parameters.pointee.ch_layout, 1)
    }
    var options = OptionDictionary(muxerOptions)
    try FFmpeg.check(avformat_write_header(format, &options.pointer), "write the header", path: path)
    for index in 0..<audioStreamCount {
      let packet = try Packet(path: path)
      try FFmpeg.check(av_new_packet(packet.pointer, 2), "allocate", path: path)
      packet.pointer.pointee.data.update(repeating: 0, count: 2)
      packet.pointer.pointee.stream_index = Int32(index + (hasVideo ? 1 : 0))
      packet.pointer.pointee.pts = 0
      packet.pointer.pointee.dts = 0
      try FFmpeg.check(av_write_frame(format, packet.pointer), "write sound", path: path)
    }
    if let stream {
      for (index, packet) in try encode(codec, path: path).enumerated() {
        let pointer = packet.pointer
        try FFmpeg.check(av_packet_make_writable(pointer), "copy", path: path)
        damage(UnsafeMutableBufferPointer(start: pointer.pointee.data, count: Int(pointer.pointee.size)), index)
        pointer.pointee.stream_index = stream.pointee.index
        av_packet_rescale_ts(pointer, timeBase, stream.pointee.time_base)
        try FFmpeg.check(av_write_frame(format, pointer), "write a frame", path: path)
      }
    }
    try FFmpeg.check(av_write_trailer(format), "finish", path: path)
  }

  private func makeCodec(path: String) throws -> CodecContext {
    _ = FFmpeg.silenced
    let codec = avcodec_find_encoder_by_name(encoder)!
    let context = try CodecContext(codec, path: path)
    context.pointer.pointee.width = Int32(size.width)
    context.pointer.pointee.height = Int32(size.height)
    context.pointer.pointee.pix_fmt = pixelFormat
    context.pointer.pointee.time_base = timeBase
    context.pointer.pointee.framerate = AVRational(num: timeBase.den, den: timeBase.num)
    context.pointer.pointee.thread_count = 1
    context.pointer.pointee.strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL
    if ["mp4", "mov", "matroska", "webm"].contains(container) {
      context.pointer.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER
    }
    configure(context.pointer)
    var options = OptionDictionary(codecOptions)
    try FFmpeg.check(avcodec_open2(context.pointer, codec, &options.pointer), "open \(encoder)", path: path)
    return context
  }

  private func encode(_ codec: CodecContext, path: String) throws -> [Packet] {
    var packets: [Packet] = []
    func collect() throws {
      while true {
        let packet = try Packet(path: path)
        let status = avcodec_receive_packet(codec.pointer, packet.pointer)
        if status == vap_error_again || status == vap_error_end { return }
        try FFmpeg.check(status, "encode", path: path)
        packet.pointer.pointee.duration = 1
        packets.append(packet)
      }
    }
    for index in 0..<frameCount {
      let frame = try Frame(size, format: pixelFormat, path: path)
      frame.clear()
      fill(frame.pointer, index)
      frame.pointer.pointee.pts = time(index)
      try FFmpeg.check(avcodec_send_frame(codec.pointer, frame.pointer), "encode", path: path)
      try collect()
    }
    try FFmpeg.check(avcodec_send_frame(codec.pointer, nil), "encode", path: path)
    try collect()
    return packets
  }
}

extension Frame {
  /// Sets all bytes to zero.
  func clear() {
    for index in 0..<Int(AV_NUM_DATA_POINTERS) {
      guard let buffer = planeBuffers[index] else { continue }
      buffer.pointee.data.update(repeating: 0, count: Int(buffer.pointee.size))
    }
  }

  private var planeBuffers: [UnsafeMutablePointer<AVBufferRef>?] {
    withUnsafeBytes(of: pointer.pointee.buf) { Array($0.bindMemory(to: UnsafeMutablePointer<AVBufferRef>?.self)) }
  }
}

extension UnsafeMutablePointer<AVFrame> {
  /// Writes one 8-bit sample of a plane.
  func set(_ plane: Int, x: Int, y: Int, _ value: UInt8) {
    let data = [pointee.data.0, pointee.data.1, pointee.data.2, pointee.data.3]
    let strides = [pointee.linesize.0, pointee.linesize.1, pointee.linesize.2, pointee.linesize.3]
    data[plane]![y * Int(strides[plane]) + x] = value
  }

  /// Writes one 16-bit sample, low byte first, of a plane.
  func setWord(_ plane: Int, x: Int, y: Int, _ value: UInt16) {
    set(plane, x: 2 * x, y: y, UInt8(value & 255))
    set(plane, x: 2 * x + 1, y: y, UInt8(value >> 8))
  }

  /// Fills the first `width` x `height` samples of a plane with one value of 8 bits, or of 16 if `isWide`.
  func fillPlane(_ plane: Int, width: Int, height: Int, _ value: UInt16, isWide: Bool = false) {
    for y in 0..<height {
      for x in 0..<width {
        if isWide { setWord(plane, x: x, y: y, value) } else { set(plane, x: x, y: y, UInt8(value)) }
      }
    }
  }
}

/// A directory that is removed with the object.
final class TemporaryDirectory {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "media-tests-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func callAsFunction(_ name: String) -> String { path + "/" + name }

  /// A file with the given contents.
  func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: self(name)))
    return self(name)
  }

  var names: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() } }
}

func bytes(of path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

/// A clip whose pixels differ from frame to frame and place to place, smoothly so that lossy codecs keep them.
func makeClip(_ size: FrameSize, frameCount: Int, frameRate: FrameRate = .training) -> VideoClip {
  var pixels: [UInt8] = []
  for frame in 0..<frameCount {
    for y in 0..<size.height {
      for x in 0..<size.width {
        pixels.append(UInt8(x * 200 / size.width + 20))
        pixels.append(UInt8(y * 200 / size.height + 20))
        pixels.append(UInt8((frame * 20 + 40) & 255))
      }
    }
  }
  return VideoClip(size: size, frameRate: frameRate, pixels: pixels)
}

/// A clip of noise, which no lossy step survives unnoticed.
func makeNoise(_ size: FrameSize, frameCount: Int, seed: UInt64 = 1, frameRate: FrameRate = .training) -> VideoClip {
  var state = seed
  let pixels = (0..<size.byteCount * frameCount).map { _ -> UInt8 in
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return UInt8(state >> 56)
  }
  return VideoClip(size: size, frameRate: frameRate, pixels: pixels)
}

/// Largest difference between bytes of two clips of the same size.
func largestDifference(_ first: VideoClip, _ second: VideoClip) -> Int {
  zip(first.pixels, second.pixels).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
}
