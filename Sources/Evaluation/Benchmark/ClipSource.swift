import Foundation
import Media
import Runtime

extension ReadingOptions {
  /// Colours as the published metrics read them: with smooth chroma their values would differ in the third digit.
  static var measuring: ReadingOptions {
    var options = ReadingOptions()
    options.chroma = .repeated
    return options
  }
}

/// Where the clips to score lie: a folder of videos whose names end in the number of their row.
package struct ClipSource: Sendable {
  package let directory: String
  /// Whether files show reference, target and clip beside each other, as the published scripts write them.
  package let hasThreePanels: Bool
  private let files: [Int: [String]]

  private static let endings: Set<String> = ["mp4", "mkv", "mov", "webm", "avi", "m4v", "gif"]

  /// Lists the folder. Throws `FileFailure` if it cannot be read.
  package init(directory: String, hasThreePanels: Bool = false) throws(FileFailure) {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory) else {
      throw FileFailure(path: directory, action: "list the videos in it", code: ENOENT)
    }
    self.directory = directory
    self.hasThreePanels = hasThreePanels
    files = Dictionary(grouping: names.sorted()) { Self.row(of: $0) ?? -1 }
  }

  /// The number at the end of a video's name: 7 for `wan_vap_bench_7.mp4`.
  static func row(of name: String) -> Int? {
    let url = URL(fileURLWithPath: name)
    guard !name.hasPrefix("."), endings.contains(url.pathExtension.lowercased()) else { return nil }
    let stem = url.deletingPathExtension().lastPathComponent
    return Int(String(stem.reversed().prefix { $0.isASCII && $0.isNumber }.reversed()))
  }

  /// The file of a row; nil if there is none. Throws `EvaluationFailure` if there are several.
  package func file(row: Int) throws(EvaluationFailure) -> String? {
    guard row >= 0, let names = files[row] else { return nil }
    guard names.count == 1 else { throw .ambiguousClip(row: row, files: names) }
    return "\(directory)/\(names[0])"
  }

  /// Reads all frames of a clip, of files with three panels the right one.
  package func read(_ path: String, observer: RunObserver) throws -> VideoClip {
    let reader = try VideoReader(path: path, options: .measuring)
    let count = try reader.frameCount()
    let clip = try reader.readFrames(at: Array(0..<count))
    for warning in reader.warnings { observer(.warning("\(printable(path, limit: 1024)): \(warning)")) }
    guard hasThreePanels else { return clip }
    guard clip.width % 3 == 0 else { throw EvaluationFailure.notThreePanels(path: path, size: clip.size) }
    return clip.cropped(to: FrameSize(width: clip.width / 3, height: clip.height), left: clip.width / 3 * 2, top: 0)
  }
}
