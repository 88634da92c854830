import Foundation
import Media

/// Clips beside each other, small enough to lie inside of a page.
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

  /// - Parameters:
  ///   - clip: all panels, beside each other already.
  ///   - scratch: a folder for the file while it is written.
  package init(_ clip: VideoClip, panels: [String], scratch: String) throws {
    var options = VideoWriter.Options()
    options.quality = Self.quality
    options.overwrites = true
    let file = "\(scratch)/.strip-\(getpid()).mp4"
    defer { unlink(file) }
    let strip = clip.resized(to: Self.size(of: clip.size))
    try VideoWriter.write(strip, to: file, options: options)
    data = try Data(contentsOf: URL(fileURLWithPath: file))
    size = strip.size
    self.panels = panels
  }

  /// The size of a panel, or of several beside each other, in a strip; even, as the codec wants it.
  package static func size(of clip: FrameSize) -> FrameSize {
    let width = (clip.width * height + clip.height / 2) / clip.height
    return FrameSize(width: max(2, width + width % 2), height: height)
  }

  /// The clip, which plays while it is seen, over the names of its panels.
  package var html: String {
    let names = panels.map { "<span>\(HTMLText.escaped($0))</span>" }.joined()
    return "<video muted loop playsinline preload=\"metadata\" width=\"\(size.width)\" height=\"\(size.height)\" "
      + "src=\"data:video/mp4;base64,\(data.base64EncodedString())\"></video><div class=\"panels\">\(names)</div>"
  }
}
