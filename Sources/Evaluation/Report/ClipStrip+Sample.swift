import Media
import Pages
import Runtime

extension ClipStrip {
  /// Reference, image, generated clip and target, those that can be read; nil if the generated one cannot.
  ///
  /// - Parameter scratch: a folder for the file while it is written.
  package init?(
    of sample: BenchmarkSample, clips: ClipSource, scratch: String, observer: RunObserver
  ) throws {
    guard let path = try clips.file(row: sample.row) else { return nil }
    let generated = try clips.read(path, observer: observer)
    let count = generated.frameCount
    var parts: [(name: String, clip: VideoClip)] = []
    if let reference = try Self.frames(sample.referencePath, count: count) { parts.append(("reference", reference)) }
    let target = try Self.frames(sample.targetPath, count: count)
    if let target { parts.append(("image", target.selecting([0]))) }
    parts.append(("generated", generated.resized(to: Self.size(of: generated.size))))
    if let target { parts.append(("target", target)) }
    guard var strip = VideoClip.sideBySide(parts.map(\.clip)) else { return nil }
    strip.frameRate = generated.frameRate
    try self.init(strip, panels: parts.map(\.name), scratch: scratch)
  }

  /// Evenly chosen frames of a file, already small; nil if it cannot be read.
  private static func frames(_ path: String, count: Int) throws -> VideoClip? {
    do {
      let reader = try VideoReader(path: path)
      let indices = FrameSelection.evenIndices(selecting: count, of: try reader.frameCount())
      return try reader.readFrames(at: indices, resizedTo: size(of: reader.size))
    } catch let failure as any Failure where BenchmarkScoring.concernsSample(failure) {
      return nil
    }
  }
}
