/// What a clip of the miniature world shows: one of 192 combinations of shape, pattern and colour.
package struct MiniatureSubject: Sendable, Hashable {
  package enum Shape: Int, Sendable, CaseIterable {
    case ball, bean, triangle, square, star, flower

    /// The outline's radius is 1 + depth cos(lobes angle).
    var lobes: Float { self == .ball ? 0 : Float(rawValue + 1) }
    var depth: Float { [0, 0.32, 0.22, 0.18, 0.28, 0.22][rawValue] }
    var name: String { "\(self)" }
  }

  package enum Pattern: Int, Sendable, CaseIterable {
    case halves, stripes, spot, quarters

    var name: String { ["two-tone", "striped", "spotted", "checkered"][rawValue] }
  }

  package enum Color: Int, Sendable, CaseIterable {
    case red, orange, yellow, green, turquoise, blue, purple, pink

    /// Red, green and blue, 0...1.
    var components: SIMD3<Float> {
      [
        [0.90, 0.18, 0.17], [0.96, 0.55, 0.12], [0.96, 0.86, 0.24], [0.26, 0.74, 0.30], [0.17, 0.74, 0.78],
        [0.24, 0.38, 0.92], [0.62, 0.30, 0.84], [0.95, 0.52, 0.74],
      ][rawValue]
    }
    var name: String { "\(self)" }
  }

  package let shape: Shape
  package let pattern: Pattern
  package let color: Color

  package init(shape: Shape, pattern: Pattern, color: Color) {
    self.shape = shape
    self.pattern = pattern
    self.color = color
  }

  package static let all: [MiniatureSubject] = Shape.allCases.flatMap { shape in
    Pattern.allCases.flatMap { pattern in
      Color.allCases.map { MiniatureSubject(shape: shape, pattern: pattern, color: $0) }
    }
  }

  /// A sixth of all subjects, never trained on; each shape, pattern and colour is seen in others.
  package var isHeldOut: Bool { (shape.rawValue + 2 * pattern.rawValue + color.rawValue) % 6 == 0 }

  /// "a red striped star"
  package var name: String {
    let article = color == .orange ? "an" : "a"
    return "\(article) \(color.name) \(pattern.name) \(shape.name)"
  }
}
