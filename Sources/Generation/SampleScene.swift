import Media

/// A small rendered pair to try the program on without any file: a reference video in which a disc grows and turns to
/// gold, and an image of a square that could do the same.
package enum SampleScene {
  package static let referenceCaption = "A red disc grows and turns into gold."
  package static let imageCaption = "A blue square grows and turns into gold."

  /// 17 frames of 96x72 pixels at 8 frames per second.
  package static func reference() -> VideoClip {
    let size = FrameSize(width: 96, height: 72)
    let count = 17
    var pixels: [UInt8] = []
    for frame in 0..<count {
      let progress = Double(frame) / Double(count - 1)
      let radius = 10 + 18 * progress
      pixels += render(size) { x, y in
        let distance = (x * x + y * y).squareRoot()
        return distance < radius ? blend((200, 40, 50), (240, 200, 60), progress) : nil
      }
    }
    return VideoClip(size: size, frameRate: FrameRate(8) ?? .training, pixels: pixels)
  }

  package static func image() -> VideoClip {
    let size = FrameSize(width: 96, height: 72)
    let pixels = render(size) { x, y in max(abs(x), abs(y)) < 14 ? (60, 90, 210) : nil }
    return VideoClip(size: size, frameRate: .training, pixels: pixels)
  }

  private typealias Color = (Double, Double, Double)

  private static func blend(_ a: Color, _ b: Color, _ t: Double) -> Color {
    (a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * t, a.2 + (b.2 - a.2) * t)
  }

  /// Draws a subject, given in pixels from the centre, over a vertical gradient.
  private static func render(_ size: FrameSize, _ subject: (Double, Double) -> Color?) -> [UInt8] {
    var pixels: [UInt8] = []
    for row in 0..<size.height {
      for column in 0..<size.width {
        let shade = 120 + 80 * Double(row) / Double(size.height)
        let color =
          subject(Double(column) - Double(size.width) / 2, Double(row) - Double(size.height) / 2)
          ?? (shade, shade, shade + 20)
        pixels += [UInt8(color.0), UInt8(color.1), UInt8(color.2)]
      }
    }
    return pixels
  }
}
