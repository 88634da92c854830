import Foundation

/// Looks that the whole picture takes on.
enum MiniatureStyle {
  private typealias Color = MiniatureScene.Color

  /// The picture at some progress: the look fades in.
  static func picture(
    _ condition: MiniatureCondition, _ still: MiniatureStill, _ progress: Float
  ) -> [MiniatureScene.Color] {
    let blend = min(1, 1.1 * progress)
    guard blend > 0 else { return still.picture }
    return zip(still.picture, styled(condition, still)).map { $0 + ($1 - $0) * blend }
  }

  private static func styled(_ condition: MiniatureCondition, _ still: MiniatureStill) -> [Color] {
    switch condition {
    case .mosaic: return mosaic(still)
    case .dream: return dream(still)
    default: return still.picture.map { color(condition, $0) }
    }
  }

  private static func color(_ condition: MiniatureCondition, _ color: Color) -> Color {
    let light = (color * Color(0.3, 0.55, 0.15)).sum()
    let styled: Color =
      switch condition {
      case .invert: 1 - color
      case .mono: Color(repeating: 1.6 * light - 0.3)
      case .thermal: Color(2.2 * light - 0.2, 2.2 * light - 1, (1 - 3.9 * abs(light - 0.25)) * 0.8)
      case .night: color * Color(0.12, 0.2, 0.55) + Color(0, 0.02, 0.12)
      case .sepia: Color(1.2, 0.95, 0.6) * light
      default: color
      }
    return styled.clamped(lowerBound: .zero, upperBound: .one)
  }

  /// Cells of 8 pixels, on the grid that the model cuts its tokens by.
  private static func mosaic(_ still: MiniatureStill) -> [Color] {
    let (size, cell) = (still.size, 8)
    var result = still.picture
    for top in stride(from: 0, to: size, by: cell) {
      for left in stride(from: 0, to: size, by: cell) {
        let places = (top..<min(top + cell, size)).flatMap { y in
          (left..<min(left + cell, size)).map { y * size + $0 }
        }
        let mean = places.reduce(Color.zero) { $0 + still.picture[$1] } / Float(places.count)
        for place in places { result[place] = mean }
      }
    }
    return result
  }

  /// Blurred twice by a box of 3/16 of the picture, and lighter.
  private static func dream(_ still: MiniatureStill) -> [Color] {
    let radius = max(1, still.size * 3 / 32)
    var result = still.picture
    for _ in 0..<2 {
      result = blurred(result, still.size, radius, step: 1)
      result = blurred(result, still.size, radius, step: still.size)
    }
    return result.map { (0.35 + 0.7 * $0).clamped(lowerBound: .zero, upperBound: .one) }
  }

  /// The mean of each point's neighbours along rows (`step` 1) or columns (`step` the size); edges repeat.
  private static func blurred(_ picture: [Color], _ size: Int, _ radius: Int, step: Int) -> [Color] {
    let other = step == 1 ? size : 1
    var result = picture
    for line in 0..<size {
      for place in 0..<size {
        var sum = Color.zero
        for offset in -radius...radius {
          sum += picture[line * other + min(max(place + offset, 0), size - 1) * step]
        }
        result[line * other + place * step] = sum / Float(2 * radius + 1)
      }
    }
    return result
  }
}
