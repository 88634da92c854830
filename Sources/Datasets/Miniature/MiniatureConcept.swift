import Foundation

/// Things that happen to the subject.
enum MiniatureConcept {
  private typealias Color = MiniatureScene.Color

  static func picture(
    _ condition: MiniatureCondition, _ still: MiniatureStill, _ progress: Float
  ) -> [MiniatureScene.Color] {
    guard progress > 0 else { return still.picture }
    return still.points.indices.map { place in
      let color = self.color(condition, still, place, progress)
      return color.clamped(lowerBound: .zero, upperBound: .one)
    }
  }

  private static func color(
    _ condition: MiniatureCondition, _ still: MiniatureStill, _ place: Int, _ progress: Float
  ) -> Color {
    let (color, sample, point) = (still.picture[place], still.subject[place], still.points[place])
    let local = sample.local
    let blend = min(1, 1.1 * progress)
    switch condition {
    case .gold:
      // A front sweeps over the subject from below.
      let swept = logistic((local.y - 1.3 + 2.8 * blend) * 6)
      return mix(color, Color(1, 0.78, 0.12) * glint(local), sample.cover * swept)
    case .ice:
      let swept = logistic((-local.y - 1.3 + 2.8 * blend) * 6)
      return mix(color, Color(0.8, 0.95, 1) * glint(local), sample.cover * swept)
    case .vanish: return mix(color, still.background[place], blend)
    case .flood:
      let surface = 1.15 - 1.5 * progress + 0.04 * sin(7 * point.x + 9 * progress)
      let depth = point.y - surface
      let foam = exp(-pow(depth / 0.05, 2)) * 0.5
      return mix(mix(color, Color(0.08, 0.32, 0.8), 0.88 * logistic(depth * 16)), .one, foam)
    case .halo:
      let distance = length(local) - 0.9 - 0.9 * progress
      return mix(color, Color(1, 1, 0.75), 0.95 * exp(-pow(distance / 0.3, 2)) * min(1, 3 * progress))
    case .flames:
      let height = -local.y / (0.3 + 2.2 * progress)
      let flicker = 0.12 * sin(9 * local.x + 14 * progress)
      let inside = logistic((1 + flicker - height - pow(abs(local.x) / 1.15, 1.5)) * 7) * logistic((0.5 - local.y) * 8)
      let flame = mix(Color(1, 0.87, 0.25), Color(0.95, 0.22, 0.05), min(max(height, 0), 1))
      return mix(color, flame, 0.95 * inside * min(1, 4 * progress))
    case .spotlight: return color * (1 - 0.95 * blend * logistic((length(local) - 1.35) * 7))
    default: return color
    }
  }

  private static func mix(_ from: Color, _ to: Color, _ share: Float) -> Color { from + (to - from) * share }

  private static func glint(_ local: SIMD2<Float>) -> Float { 0.8 + 0.2 * sin(3 * (local.x + local.y)) }
}
