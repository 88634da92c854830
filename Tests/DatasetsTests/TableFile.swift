import Datasets
import Foundation
import Media
import Runtime
import TestSupport

/// A manifest for tests, row by row.
struct TableRow {
  var video: String
  var references = "[]"
  var caption = "a caption"
  var kind = "melt"
  var split = "train"
  var score = "90"

  var line: String {
    [video, references, caption, kind, split, score].map { "\"\($0.replacingOccurrences(of: "\"", with: "\"\""))\"" }
      .joined(separator: ",")
  }
}

let header = "video_paths,ref_video_paths,tar_video_caption,kind,split,reference_alignment_score"

extension TemporaryDirectory {
  /// Writes a manifest and returns its path.
  func manifest(_ rows: [TableRow], header: String = header) throws -> String {
    try write(([header] + rows.map(\.line)).joined(separator: "\n") + "\n", to: "vap_data.csv")
  }

  /// Writes a small video of `frames` pictures, told apart by `shade`.
  @discardableResult
  func video(_ name: String, frames: Int = 5, shade: Int = 0, size: FrameSize = FrameSize(width: 32, height: 16)) throws
    -> String
  {
    try FileManager.default.createDirectory(
      at: URL(fileURLWithPath: file(name)).deletingLastPathComponent(), withIntermediateDirectories: true)
    let pixels = (0..<frames * size.byteCount).map { UInt8(truncatingIfNeeded: $0 / 7 + shade * 31) }
    try VideoWriter.write(VideoClip(size: size, frameRate: .training, pixels: pixels), to: file(name))
    return file(name)
  }
}

func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return ""
  } catch {
    return (error as? any Failure)?.message ?? "\(error)"
  }
}
