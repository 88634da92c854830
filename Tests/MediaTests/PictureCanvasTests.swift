import Media
import Testing

@Suite("Pictures put together from frames")
struct PictureCanvasTests {
  private static let size = FrameSize(width: 2, height: 1)
  private static let clip = VideoClip(size: size, frameRate: .training, pixels: (1...12).map { UInt8($0) })

  @Test("a frame lies where it was put, on white")
  func place() {
    var canvas = PictureCanvas(size: FrameSize(width: 3, height: 2))
    canvas.draw(Self.clip, frame: 1, left: 1, top: 1)
    #expect(canvas.picture.pixels == [UInt8](repeating: 255, count: 12) + [7, 8, 9, 10, 11, 12])
  }

  @Test("enlarging repeats pixels")
  func enlarged() {
    let large = Self.clip.enlarged(by: 2)
    let line: [UInt8] = [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6]
    #expect(large.size == FrameSize(width: 4, height: 2))
    #expect(Array(large.frame(0)) == line + line)
    #expect(Self.clip.enlarged(by: 1) == Self.clip)
  }
}
