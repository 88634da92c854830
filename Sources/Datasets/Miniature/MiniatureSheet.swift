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
    guard rowCount > 0 else { return nil }
    var canvas = PictureCanvas(size: FrameSize(width: width, height: rowCount * size.height))
    for (column, conditions) in columns.enumerated() {
      for (row, condition) in conditions.enumerated() {
        let subject = subjects[Int((seed &+ UInt64(row * 37 + column * 11)) % UInt64(subjects.count))]
        let clip = MiniatureClip(
          seed: seed &+ UInt64(row * 4 + column), subject: subject, condition: condition,
          timing: MiniatureTiming(speed: 1, onset: 0.1)
        ).render(format)
        let indices = FrameSelection.evenIndices(selecting: framesPerClip, of: clip.frameCount)
        let frames = clip.selecting(indices).enlarged(by: scale)
        for place in indices.indices {
          let left = column * (framesPerClip * size.width + gap) + place * size.width
          canvas.draw(frames, frame: place, left: left, top: row * size.height)
        }
      }
    }
    return canvas.picture
  }
}
