import Media

/// A picture of all conditions of the miniature world, to look at.
package enum MiniatureSheet {
  /// Each condition by a few of its frames, left to right; conditions below each other, four columns for the categories.
  ///
  /// - Parameter scale: pixels of the sheet for one of a frame.
  package static func picture(
    seed: UInt64, _ format: MiniatureClip.Format = MiniatureClip.Format(), framesPerClip: Int = 5, scale: Int = 2
  ) -> VideoClip? {
    let subjects = MiniatureSubject.all
    let categories = MiniatureCondition.Category.allCases
    let columns = categories.map { category in MiniatureCondition.allCases.filter { $0.category == category } }
    let rowCount = columns.map(\.count).max() ?? 0
    let size = FrameSize(width: format.size * scale, height: format.size * scale)
    let gap = 4
    let width = columns.count * framesPerClip * size.width + (columns.count - 1) * gap
    var sheet = [UInt8](repeating: 255, count: width * rowCount * size.height * 3)
    for (column, conditions) in columns.enumerated() {
      for (row, condition) in conditions.enumerated() {
        let subject = subjects[Int((seed &+ UInt64(row * 37 + column * 11)) % UInt64(subjects.count))]
        let clip = MiniatureClip(
          seed: seed &+ UInt64(row * 4 + column), subject: subject, condition: condition,
          timing: MiniatureTiming(speed: 1, onset: 0.1)
        ).render(format)
        let indices = FrameSelection.evenIndices(selecting: framesPerClip, of: clip.frameCount)
        let frames = clip.selecting(indices).resized(to: size, filter: .box)
        for (place, _) in indices.enumerated() {
          let left = column * (framesPerClip * size.width + gap) + place * size.width
          draw(frames.frame(place), size, on: &sheet, width: width, left: left, top: row * size.height)
        }
      }
    }
    guard rowCount > 0 else { return nil }
    return VideoClip(
      size: FrameSize(width: width, height: rowCount * size.height), frameRate: .training, pixels: sheet)
  }

  private static func draw(
    _ frame: ArraySlice<UInt8>, _ size: FrameSize, on sheet: inout [UInt8], width: Int, left: Int, top: Int
  ) {
    for line in 0..<size.height {
      let source = frame.startIndex + line * size.width * 3
      let target = ((top + line) * width + left) * 3
      sheet.replaceSubrange(target..<target + size.width * 3, with: frame[source..<source + size.width * 3])
    }
  }
}
