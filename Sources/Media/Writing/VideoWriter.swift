import CFFmpeg
import Foundation
import Runtime

/// The kinds of file that clips are written to, told by the end of the name.
package enum VideoFormat: Sendable, CaseIterable {
  /// H.264 in MP4, playable everywhere; loses detail.
  case mp4
  /// FFV1 in Matroska: every bit of the frames is kept, at any size.
  case mkv
  /// At most 256 colours.
  case gif
  /// One frame.
  case png
  /// A folder of `frame-00000.png` and so on.
  case pngFolder

  package init(path: String) throws(MediaFailure) {
    if path.hasSuffix("/") {
      self = .pngFolder
      return
    }
    switch URL(fileURLWithPath: path).pathExtension.lowercased() {
    case "mp4": self = .mp4
    case "mkv": self = .mkv
    case "gif": self = .gif
    case "png": self = .png
    default: throw .unknownExtension(path: path)
    }
  }
}

/// Writes clips to files.
///
/// A file appears under its name only when complete. The same clip and options give the same bytes, whatever the number
/// of processors and the time of day.
package enum VideoWriter {
  package struct Options: Sendable, Equatable {
    /// Replaces an existing file; folders are never replaced.
    package var overwrites = false
    /// Constant rate factor of H.264, 0 (lossless) to 51; 18 is hard to tell from the original.
    package var quality = 18
    /// Stored in the container as it allows: tags of MP4 and Matroska, a comment of GIF, text of PNG.
    package var metadata: [String: String] = [:]

    package init() {}
  }

  /// Finds out before long work whether a clip could be written to `path`.
  ///
  /// - Parameter frameCount: nil if not known yet.
  @discardableResult
  package static func checkTarget(
    _ path: String, size: FrameSize, frameCount: Int? = nil, frameRate: FrameRate, options: Options = Options()
  ) throws -> VideoFormat {
    let format = try VideoFormat(path: path)
    let place = format == .pngFolder ? folderPath(path) : path
    if format == .pngFolder, FileManager.default.fileExists(atPath: place) {
      throw MediaFailure.folderExists(path: path)
    }
    try AtomicFile.checkWritableTarget(place)
    if !options.overwrites, FileManager.default.fileExists(atPath: place) { throw MediaFailure.fileExists(path: path) }
    switch format {
    case .mp4:
      guard size.width.isMultiple(of: 2), size.height.isMultiple(of: 2) else {
        throw MediaFailure.oddSize(path: path, size: size)
      }
    case .gif:
      // Players take shorter delays than 20 ms for 100 ms.
      guard frameRate.value <= 50 else {
        throw MediaFailure.frameRateTooHigh(path: path, rate: frameRate, limit: 50)
      }
    case .png:
      if let frameCount, frameCount != 1 { throw MediaFailure.notOneFrame(path: path, frameCount: frameCount) }
    case .mkv, .pngFolder: break
    }
    let recipe = recipe(for: format, size, options)
    guard avcodec_find_encoder_by_name(recipe.encoder) != nil else {
      throw MediaFailure.missingEncoder(path: path, encoder: recipe.encoder, package: recipe.package)
    }
    return format
  }

  /// Writes all frames of `clip` to `path`, whose ending chooses the format.
  package static func write(_ clip: VideoClip, to path: String, options: Options = Options()) throws {
    try write(clip, to: path, options: options, through: OutputFile.systemWrite)
  }

  /// - Parameter system: does the writing; tests pass one that fails.
  static func write(
    _ clip: VideoClip, to path: String, options: Options, through system: @escaping OutputFile.Write
  ) throws {
    let format = try checkTarget(
      path, size: clip.size, frameCount: clip.frameCount, frameRate: clip.frameRate, options: options)
    let recipe = recipe(for: format, clip.size, options)
    switch format {
    case .png: try ImageWriter.writePNG(clip, to: path, overwrites: options.overwrites, metadata: options.metadata)
    case .pngFolder: try writeFolder(clip, to: folderPath(path), metadata: options.metadata)
    case .mp4, .mkv, .gif:
      try AtomicFile.write(to: path, replacing: options.overwrites) { temporary in
        let file = try OutputFile(path: temporary, write: system)
        try encode(clip, as: format, recipe, into: file, path: path, metadata: options.metadata)
      }
    }
  }

  private static func recipe(for format: VideoFormat, _ size: FrameSize, _ options: Options) -> EncoderRecipe {
    switch format {
    case .mp4: .h264(quality: options.quality)
    // FFmpeg 5.1 does not keep frames of a single row or column in FFV1.
    case .mkv: min(size.width, size.height) > 1 ? .ffv1(for: size) : .png
    case .gif: .gif
    case .png, .pngFolder: .png
    }
  }

  private static func encode(
    _ clip: VideoClip, as format: VideoFormat, _ recipe: EncoderRecipe, into file: OutputFile, path: String,
    metadata: [String: String]
  ) throws {
    let rate = clip.frameRate
    let timeBase = AVRational(num: Int32(rate.denominator), den: Int32(rate.numerator))
    let isGIF = format == .gif
    let muxer = try Muxer(container: isGIF ? "gif" : format == .mp4 ? "mp4" : "matroska", file: file, path: path)
    let encoder = try FrameEncoder(
      recipe, size: clip.size, timeBase: isGIF ? AVRational(num: 1, den: 100) : timeBase, frameRate: rate,
      globalHeader: muxer.needsGlobalHeader, path: path)
    let source = try FrameSource(clip, format: recipe.pixelFormat, path: path)
    try muxer.begin(
      encoder.codec, frameRate: rate, metadata: metadata,
      options: format == .mp4 ? ["movflags": "+faststart+use_metadata_tags"] : [:])
    for index in 0..<clip.frameCount {
      try Interruption.check()
      let time = isGIF ? (Double(index) * 100 / rate.value).rounded() : Double(index)
      try encoder.encode(source.frame(index, time: Int64(time))) { try muxer.write($0) }
    }
    try encoder.encode(nil) { try muxer.write($0) }
    try muxer.finish()
    if isGIF, !metadata.isEmpty { try appendComment(metadata, to: file, path: path) }
  }

  /// Puts a comment block before the end mark of a GIF, as FFmpeg's muxer writes none.
  private static func appendComment(_ metadata: [String: String], to file: OutputFile, path: String) throws {
    let lines = metadata.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    let text = Array(lines.joined(separator: "\n").utf8)
    var block: [UInt8] = [0x21, 0xFE]
    for start in stride(from: 0, to: text.count, by: 255) {
      let part = text[start..<min(start + 255, text.count)]
      block += [UInt8(part.count)] + part
    }
    block += [0x00, 0x3B]
    guard block.withUnsafeBytes({ file.put($0, at: file.size - 1) }) else {
      throw FileFailure(path: path, action: "write", code: file.failure?.code ?? EIO)
    }
  }

  private static func writeFolder(_ clip: VideoClip, to path: String, metadata: [String: String]) throws {
    try AtomicFile.write(to: path) { temporary in
      guard mkdir(temporary, 0o755) == 0 else { throw FileFailure(path: temporary, action: "create") }
      for index in 0..<clip.frameCount {
        try Interruption.check()
        let number = String(index)
        let name = "frame-" + String(repeating: "0", count: max(5 - number.count, 0)) + number + ".png"
        let data = try ImageWriter.pngData(clip.selecting([index]), metadata: metadata, path: path)
        try OutputFile.write(data, to: temporary + "/" + name, as: path + "/" + name)
      }
    }
  }

  private static func folderPath(_ path: String) -> String {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }
}
