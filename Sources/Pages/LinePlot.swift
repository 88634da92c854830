import Foundation

/// Curves over one axis, as SVG that follows the page's colours through the classes `own`, `other`, `grid` and `label`.
package struct LinePlot: Sendable {
  package struct Curve: Sendable {
    package let name: String
    /// Rising in x; values that are not finite break the line.
    package let points: [(x: Double, y: Double)]
    /// Whether it stands out.
    package let isOwn: Bool

    package init(name: String, points: [(x: Double, y: Double)], isOwn: Bool) {
      self.name = name
      self.points = points
      self.isOwn = isOwn
    }
  }

  package let title: String
  private let curves: [Curve]
  private let horizontal: PlotAxis
  private let vertical: PlotAxis

  private static let (width, height) = (460.0, 220.0)
  /// On the right half of the last number of the axis has room.
  private static let (left, right, top, bottom) = (56.0, 20.0, 8.0, 26.0)

  /// - Parameters:
  ///   - range: of the vertical axis; nil for that of the values.
  ///   - prefersLogarithm: of the vertical axis, see `PlotAxis`.
  package init(
    title: String, _ curves: [Curve], range: ClosedRange<Double>? = nil, prefersLogarithm: Bool = false
  ) {
    self.title = title
    self.curves = curves
    let points = curves.flatMap(\.points).filter { $0.x.isFinite && $0.y.isFinite }
    let places = points.map(\.x)
    horizontal = PlotAxis(places.min() ?? 0, max(places.max() ?? 1, (places.min() ?? 0) + 1))
    vertical =
      range.map { PlotAxis($0.lowerBound, $0.upperBound) }
      ?? PlotAxis(showing: points.map(\.y), prefersLogarithm: prefersLogarithm)
  }

  package var svg: String {
    let name = HTMLText.escaped(title)
    let (right, bottom) = (Self.width - Self.right, Self.height - Self.bottom)
    var parts = [
      "<svg viewBox=\"0 0 \(Self.text(Self.width)) \(Self.text(Self.height))\" role=\"img\" "
        + "aria-label=\"\(name)\">"
    ]
    for tick in vertical.ticks {
      let y = Self.text(self.y(tick))
      parts.append(
        "<line class=\"grid\" x1=\"\(Self.text(Self.left))\" x2=\"\(Self.text(right))\" y1=\"\(y)\" y2=\"\(y)\"/>"
          + "<text class=\"label\" x=\"\(Self.text(Self.left - 6))\" y=\"\(y)\" dy=\"4\" text-anchor=\"end\">"
          + "\(PlotAxis.label(tick))</text>")
    }
    for tick in horizontal.ticks {
      let x = Self.text(self.x(tick))
      parts.append(
        "<line class=\"grid\" x1=\"\(x)\" x2=\"\(x)\" y1=\"\(Self.text(Self.top))\" y2=\"\(Self.text(bottom))\"/>"
          + "<text class=\"label\" x=\"\(x)\" y=\"\(Self.text(Self.height - 8))\" text-anchor=\"middle\">"
          + "\(PlotAxis.label(tick))</text>")
    }
    parts += curves.map(path)
    return parts.joined() + "</svg>"
  }

  private func path(_ curve: Curve) -> String {
    var commands = ""
    var isDrawing = false
    for point in curve.points {
      guard point.x.isFinite, point.y.isFinite else {
        isDrawing = false
        continue
      }
      // A step of no length, so that a point alone is drawn as a dot.
      let (letter, dot) = isDrawing ? ("L", "") : ("M", "h0")
      commands += "\(letter)\(Self.text(x(point.x))) \(Self.text(y(point.y)))\(dot)"
      isDrawing = true
    }
    return "<path class=\"curve \(curve.isOwn ? "own" : "other")\" d=\"\(commands)\">"
      + "<title>\(HTMLText.escaped(curve.name))</title></path>"
  }

  private func x(_ value: Double) -> Double {
    Self.left + horizontal.position(of: value) * (Self.width - Self.left - Self.right)
  }

  private func y(_ value: Double) -> Double {
    Self.height - Self.bottom - vertical.position(of: value) * (Self.height - Self.top - Self.bottom)
  }

  private static func text(_ value: Double) -> String { String(format: "%.1f", value) }
}
