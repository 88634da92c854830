import CFFmpeg
import Foundation
import Runtime

/// Writes single pictures.
package enum ImageWriter {
  /// Writes the first frame of `clip` as an 8-bit RGB PNG; the file appears only when complete.
  ///
  /// - Parameter metadata: stored as international text chunks; keywords are cut to the 79 bytes that PNG allows.
  package static func writePNG(
    _ clip: VideoClip, to path: String, overwrites: Bool = false, metadata: [String: String] = [:]
  ) throws {
    try AtomicFile.checkWritableTarget(path)
    if !overwrites, FileManager.default.fileExists(atPath: path) { throw MediaFailure.fileExists(path: path) }
    let data = try pngData(clip, metadata: metadata, path: path)
    try AtomicFile.write(to: path, replacing: overwrites) { temporary in
      try OutputFile.write(data, to: temporary, as: path)
    }
  }

  /// The bytes of such a file; `path` is for messages.
  package static func pngData(_ clip: VideoClip, metadata: [String: String] = [:], path: String) throws -> Data {
    let encoder = try FrameEncoder(
      .png, size: clip.size, timeBase: AVRational(num: 1, den: 1), frameRate: clip.frameRate, path: path)
    let frame = try FrameSource(clip, format: AV_PIX_FMT_RGB24, path: path).frame(0, time: 0)
    var data = Data()
    let collect = { (packet: Packet) in
      if let bytes = packet.pointer.pointee.data { data.append(bytes, count: Int(packet.pointer.pointee.size)) }
    }
    try encoder.encode(frame, collect)
    try encoder.encode(nil, collect)
    // Signature and IHDR take 33 bytes; text may follow.
    guard data.count > 33 else { throw MediaFailure.library(path: path, action: "encode a PNG", reason: "no data") }
    for (key, value) in metadata.sorted(by: { $0.key > $1.key }) {
      data.insert(contentsOf: textChunk(key, value), at: 33)
    }
    return data
  }

  private static func textChunk(_ key: String, _ value: String) -> [UInt8] {
    // Keyword, NUL, not compressed (2 bytes), empty language and translated keyword, text.
    let body = Array("iTXt".utf8) + key.utf8.prefix(79) + [0, 0, 0, 0, 0] + value.utf8
    let checksum = ~av_crc(av_crc_get_table(AV_CRC_32_IEEE_LE), ~0, body, body.count)
    return bigEndian(UInt32(body.count - 4)) + body + bigEndian(checksum)
  }

  private static func bigEndian(_ value: UInt32) -> [UInt8] {
    [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
  }
}
