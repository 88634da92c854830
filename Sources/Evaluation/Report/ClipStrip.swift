import Foundation
import Media
import Runtime

/// The clips of a sample beside each other, small enough to lie inside of a page.
package struct ClipStrip: Sendable {
  /// An MP4 file.
  package let data: Data
  package let size: FrameSize
  /// What is shown, left to right.
  package let panels: [String]

  /// Height in pixels of the strip.
  private static let height = 144
  /// Constant rate factor: visibly compressed, about a tenth of a megabyte each.
  private static let quality = 28

  /// Reference, image, generated clip and target, those that can be read; nil if the generated one cannot.
  ///
  /// - Parameter scratch: a folder for the file while it is written.
  package init?(
    of sample: BenchmarkSample, clips: ClipSource, scratch: String, observer: RunObserver
  ) throws {
    guard let path = try clips.file(row: sample.row) else { return nil }
    let generated = try clips.read(path, observer: observer)
    let count = generated.frameCount
    let small = { (clip: VideoClip) in Self.shrunk(clip) }
    var parts: [(name: String, clip: VideoClip)] = []
    if let reference = try Self.frames(sample.referencePath, count: count) { parts.append(("reference", reference)) }
    let target = try Self.frames(sample.targetPath, count: count)
    if let target { parts.append(("image", target.selecting([0]))) }
    parts.append(("generated", generated))
    if let target { parts.append(("target", target)) }
    guard var strip = VideoClip.sideBySide(parts.map { small($0.clip) }) else { return nil }
    strip.frameRate = generated.frameRate
    var options = VideoWriter.Options()
    options.quality = Self.quality
    options.overwrites = true
    let file = "\(scratch)/strip-\(getpid()).mp4"
    defer { unlink(file) }
    try VideoWriter.write(strip, to: file, options: options)
    data = try Data(contentsOf: URL(fileURLWithPath: file))
    size = strip.size
    panels = parts.map(\.name)
  }

  /// Evenly chosen frames of a file, already small; nil if it cannot be read.
  private static func frames(_ path: String, count: Int) throws -> VideoClip? {
    do {
      let reader = try VideoReader(path: path)
      let indices = FrameSelection.evenIndices(selecting: count, of: try reader.frameCount())
      return try reader.readFrames(at: indices, resizedTo: smallSize(reader.size))
    } catch let failure as any Failure where BenchmarkScoring.concernsSample(failure) {
      return nil
    }
  }

  private static func shrunk(_ clip: VideoClip) -> VideoClip { clip.resized(to: smallSize(clip.size)) }

  private static func smallSize(_ size: FrameSize) -> FrameSize {
    FrameSize(width: max(2, (size.width * height + size.height / 2) / size.height), height: height)
  }
}
