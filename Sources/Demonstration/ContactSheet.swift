import Media

/// All results in one picture, a row each: frames of the reference, the image, frames of the generated clip. Sections stand
/// below each other in two columns.
struct ContactSheet {
  private let sections: [[Demonstration.Result]]

  private static let (referenceFrames, generatedFrames) = (4, 6)
  /// Pixels of the sheet for one of a frame, and white between parts of a row, rows, sections and columns.
  private static let (scale, gap, rowGap, sectionGap, columnGap) = (2, 8, 4, 28, 48)

  init(_ sections: [[Demonstration.Result]]) { self.sections = sections.filter { !$0.isEmpty } }

  var picture: VideoClip {
    let frame = sections.first?.first.map { $0.generated.height * Self.scale } ?? 1
    let width = (Self.referenceFrames + 1 + Self.generatedFrames) * frame + 2 * Self.gap
    func height(_ columns: ArraySlice<[Demonstration.Result]>) -> Int {
      columns.reduce(0) { $0 + $1.count * (frame + Self.rowGap) + Self.sectionGap }
    }
    // The cut that leaves the higher column lowest.
    let cut =
      (0...sections.count).min {
        max(height(sections[..<$0]), height(sections[$0...])) < max(height(sections[..<$1]), height(sections[$1...]))
      } ?? 0
    let columns = [sections[..<cut], sections[cut...]]
    var canvas = PictureCanvas(
      size: FrameSize(
        width: 2 * width + Self.columnGap, height: (columns.map(height).max() ?? 1) - Self.sectionGap - Self.rowGap))
    for (number, column) in columns.enumerated() {
      let left = number * (width + Self.columnGap)
      var top = 0
      for section in column {
        for result in section {
          draw(result, on: &canvas, left: left, top: top)
          top += frame + Self.rowGap
        }
        top += Self.sectionGap
      }
    }
    return canvas.picture
  }

  private func draw(_ result: Demonstration.Result, on canvas: inout PictureCanvas, left: Int, top: Int) {
    var left = left
    for (clip, count) in [
      (result.reference, Self.referenceFrames), (result.image, 1), (result.generated, Self.generatedFrames),
    ] {
      let large = clip.selecting(FrameSelection.evenIndices(selecting: count, of: clip.frameCount))
        .enlarged(by: Self.scale)
      for frame in 0..<count {
        canvas.draw(large, frame: frame, left: left, top: top)
        left += large.width
      }
      left += Self.gap
    }
  }
}
