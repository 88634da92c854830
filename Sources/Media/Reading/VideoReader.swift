import CFFmpeg
import Compute
import Runtime

/// Reads frames of a local video or image file.
///
/// A reader goes over the file once for each call, so that only the frames asked for are held in memory, and counts what
/// decodes instead of trusting what a header declares. Frames hidden by the container (edit lists) are not seen. Rotation
/// and mirroring named by the file are applied. Pixels that are not square stay as stored, interlaced frames stay woven,
/// and a frame of another size is resized to that of the first; `warnings` names these.
package final class VideoReader {
  /// The path as text, for messages.
  package var path: String { file.path }
  /// Size at which frames are shown and handed out.
  package let size: FrameSize
  package let frameRate: FrameRate
  /// A picture rather than a sequence of them.
  package let isImage: Bool
  /// FFmpeg's name of the codec, such as "h264".
  package let codec: String
  /// What the header declares, if it does.
  package let declaredFrameCount: Int?
  /// What a user should know of the file, in the order it was found; calls that decode may add to it.
  package private(set) var warnings: [MediaWarning] = []

  private let file: InputFile
  private let options: ReadingOptions
  private let streamOrientation: Orientation
  private var countedFrames: Int?

  /// Opens the file and decodes its first frame.
  package convenience init(path: String, options: ReadingOptions = ReadingOptions()) throws {
    try self.init(pathBytes: Array(path.utf8), options: options)
  }

  /// Opens a file whose name need not be UTF-8.
  package init(pathBytes: [UInt8], options: ReadingOptions = ReadingOptions()) throws {
    file = try InputFile(path: pathBytes)
    self.options = options
    let png = try PNGHeader(file)
    if let size = png?.size { try options.limits.check(size, path: file.path) }
    let decoder = try FrameDecoder(file, options: options)
    let stream = decoder.demuxer.stream.pointee
    let matrix = vap_stream_display_matrix(decoder.demuxer.stream)
    streamOrientation = matrix.map(Orientation.init(displayMatrix:)) ?? png?.orientation ?? .upright
    isImage = decoder.demuxer.isImage
    codec = String(cString: avcodec_get_name(stream.codecpar.pointee.codec_id))
    declaredFrameCount = decoder.demuxer.declaredFrameCount
    let rates = [stream.avg_frame_rate, stream.r_frame_rate]
    let rate = rates.lazy.compactMap { FrameRate(Int($0.num), Int($0.den)) }.first
    frameRate = rate ?? .assumed
    guard let first = try decoder.next() else {
      throw MediaFailure.noFrames(
        path: file.path, reason: decoder.damageCount > 0 ? "all of its data is damaged" : "it holds none")
    }
    size = FrameConverter(streamOrientation: streamOrientation, path: file.path).shownSize(of: first)
    if rate == nil, !isImage { warnings.append(.frameRateUnknown(assumed: .assumed)) }
    noteAppearance(of: first.pointee, stream)
  }

  /// Counts the frames that decode, by decoding all of them once.
  package func frameCount() throws -> Int {
    if let countedFrames { return countedFrames }
    let decoder = try FrameDecoder(file, options: options)
    var times = TimestampCheck()
    while let frame = try decoder.next() { times.note(frame.pointee.best_effort_timestamp) }
    noteDamage(decoder.damageCount)
    if !isImage {
      if let declaredFrameCount, declaredFrameCount - decoder.hiddenCount != decoder.frameCount {
        warn(.frameCountDiffers(declared: declaredFrameCount, decoded: decoder.frameCount))
      }
      times.warnings.forEach(warn)
      let unit = decoder.demuxer.stream.pointee.time_base
      let seconds = times.span.map { Double($0) * Double(unit.num) / Double(unit.den) + 1 / frameRate.value }
      // A frame or two may be lost to rounding.
      if let declared = decoder.demuxer.declaredSeconds, let seconds, declared > seconds + 2 / frameRate.value {
        warn(.endsEarly(declaredSeconds: declared, decodedSeconds: seconds))
      }
    }
    countedFrames = decoder.frameCount
    return decoder.frameCount
  }

  /// The frames at `indices`, which may repeat and come in any order; decodes up to the last of them.
  ///
  /// - Parameter target: resizes each frame as it is decoded (Lanczos), so that large frames need not be kept.
  package func readFrames(at indices: [Int], resizedTo target: FrameSize? = nil) throws -> VideoClip {
    precondition(!indices.isEmpty, "no frames chosen")
    let shown = target ?? size
    let (byteCount, overflow) = shown.byteCount.multipliedReportingOverflow(by: indices.count)
    guard !overflow, byteCount <= options.limits.clipByteCount else {
      throw MediaFailure.clipTooLarge(
        path: path, byteCount: overflow ? .max : byteCount, limit: options.limits.clipByteCount)
    }
    let places = indices.enumerated().sorted { ($0.element, $0.offset) < ($1.element, $1.offset) }
    return try VideoClip(size: shown, frameCount: indices.count, frameRate: frameRate) { output in
      let decoder = try FrameDecoder(file, options: options)
      let converter = FrameConverter(streamOrientation: streamOrientation, chroma: options.chroma, path: path)
      var rest = places[...]
      while let place = rest.first {
        guard place.element >= 0, let frame = try decoder.next() else {
          throw MediaFailure.noSuchFrame(path: path, index: place.element, frameCount: decoder.frameCount)
        }
        guard decoder.frameCount - 1 == place.element else { continue }
        let picture = try shownFrame(frame, converter, index: place.element).resized(to: shown)
        while let place = rest.first, place.element == decoder.frameCount - 1 {
          let start = place.offset * shown.byteCount
          _ = UnsafeMutableBufferPointer(rebasing: output[start..<start + shown.byteCount]).update(from: picture.pixels)
          rest.removeFirst()
        }
      }
      noteDamage(decoder.damageCount)
    }
  }

  /// All frames, or `count` of them as `selection` says.
  package func readFrames(
    _ selection: FrameSelection, count: Int, using generator: inout RandomGenerator, resizedTo target: FrameSize? = nil
  ) throws -> VideoClip {
    let indices = try selection.indices(selecting: count, of: frameCount(), using: &generator)
    return try readFrames(at: indices, resizedTo: target)
  }

  /// The picture of an image file, or the first frame of a video, as a clip of one frame.
  package static func readImage(path: String, options: ReadingOptions = ReadingOptions()) throws -> VideoClip {
    try VideoReader(path: path, options: options).readFrames(at: [0])
  }

  // MARK: - Warnings

  /// Converts a frame, and brings it to the size of the first frame if it has another.
  private func shownFrame(
    _ frame: UnsafeMutablePointer<AVFrame>, _ converter: FrameConverter, index: Int
  ) throws -> VideoClip {
    let picture = try converter.clip(of: frame, frameRate: frameRate)
    if picture.size != size { warn(.sizeChanged(frame: index, size: picture.size)) }
    return picture.resized(to: size)
  }

  private func noteAppearance(of frame: AVFrame, _ stream: AVStream) {
    if frame.color_trc == AVCOL_TRC_SMPTE2084 { warn(.highDynamicRange(transfer: "PQ")) }
    if frame.color_trc == AVCOL_TRC_ARIB_STD_B67 { warn(.highDynamicRange(transfer: "HLG")) }
    if withUnsafePointer(to: frame, vap_frame_is_interlaced) != 0 { warn(.interlaced) }
    let ratios = [frame.sample_aspect_ratio, stream.sample_aspect_ratio]
    if let ratio = ratios.first(where: { $0.num > 0 && $0.den > 0 }), ratio.num != ratio.den {
      warn(.nonSquarePixels(ratio: Double(ratio.num) / Double(ratio.den)))
    }
  }

  private func noteDamage(_ count: Int) {
    guard count > 0 else { return }
    warnings.removeAll { if case .skippedDamaged = $0 { true } else { false } }
    warn(.skippedDamaged(count: count))
  }

  private func warn(_ warning: MediaWarning) {
    if case .sizeChanged = warning, warnings.contains(where: { if case .sizeChanged = $0 { true } else { false } }) {
      return
    }
    if !warnings.contains(warning) { warnings.append(warning) }
  }
}

/// Watches the times of frames for gaps in sense; frames are used in order whatever they say.
struct TimestampCheck {
  private var first: Int64?
  private var previous: Int64?
  private var irregularCount = 0
  private var shortest = Int64.max
  private var longest = Int64.min

  mutating func note(_ time: Int64) {
    guard time != vap_no_timestamp else {
      irregularCount += 1
      return
    }
    if first == nil { first = time }
    if let previous {
      let (step, overflow) = time.subtractingReportingOverflow(previous)
      if overflow || step <= 0 {
        irregularCount += 1
      } else {
        shortest = min(shortest, step)
        longest = max(longest, step)
      }
    }
    previous = time
  }

  /// From the first time to the last, if both are known and in order.
  var span: Int64? {
    guard let first, let previous else { return nil }
    let (span, overflow) = previous.subtractingReportingOverflow(first)
    return overflow || span < 0 ? nil : span
  }

  var warnings: [MediaWarning] {
    var warnings: [MediaWarning] = []
    // A last frame without a time is common.
    if irregularCount > 1 { warnings.append(.irregularTimestamps(count: irregularCount)) }
    // Containers round times to their units, so steps of a constant rate may differ a little.
    if longest > 0, Double(longest) > 1.5 * Double(shortest) { warnings.append(.variableFrameRate) }
    return warnings
  }
}
