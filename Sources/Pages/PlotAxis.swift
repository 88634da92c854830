import Foundation

/// Where the values of a plot lie along an axis, and where its round numbers are.
package struct PlotAxis: Sendable, Equatable {
  package enum Scale: Sendable, Equatable { case linear, logarithmic }

  package let scale: Scale
  private let from: Double
  private let to: Double

  /// An axis from `from` to `to`; logarithmic ones need both positive.
  package init(_ from: Double, _ to: Double, scale: Scale = .linear) {
    self.scale = scale
    self.from = Self.place(from, scale)
    self.to = Self.place(to, scale)
  }

  /// An axis that shows all of some values, finite ones, with a little room around them.
  ///
  /// - Parameter prefersLogarithm: whether values over more than two powers of ten are shown logarithmically.
  package init(showing values: [Double], prefersLogarithm: Bool = false) {
    let (least, most) = (values.min() ?? 0, values.max() ?? 1)
    scale = prefersLogarithm && least > 0 && most > 100 * least ? .logarithmic : .linear
    let (from, to) = (Self.place(least, scale), Self.place(most, scale))
    // A line that does not move has no scale of its own.
    let flat = from == to ? (from == 0 ? 1 : abs(from) * 0.1) : 0
    let margin = max((to - from) * 0.05, max(abs(from), abs(to)) * 1e-3, flat)
    self.from = from - margin
    self.to = to + margin
  }

  private static func place(_ value: Double, _ scale: Scale) -> Double {
    scale == .linear ? value : log10(value)
  }

  /// 0 at the start of the axis, 1 at its end.
  package func position(of value: Double) -> Double { (Self.place(value, scale) - from) / max(to - from, 1e-300) }

  /// Round numbers on the axis: about four, or if logarithmic some powers of ten.
  package var ticks: [Double] {
    guard scale == .logarithmic else { return Self.ticks(from, to) }
    let powers = Array(Int(from.rounded(.up))...max(Int(from.rounded(.up)), Int(to.rounded(.down))))
    let stride = (powers.count + 4) / 5
    return powers.enumerated().filter { $0.offset % stride == 0 && Double($0.element) <= to }.map {
      pow(10, Double($0.element))
    }
  }

  /// Round numbers within a range, about four of them.
  package static func ticks(_ from: Double, _ to: Double) -> [Double] {
    let rough = (to - from) / 4
    guard rough > 0, rough.isFinite else { return [] }
    let power = pow(10, log10(rough).rounded(.down))
    let step = ([1, 2, 5, 10].first { $0 * power >= rough } ?? 10) * power
    let first = (from / step).rounded(.up)
    return (0..<8).map { (first + Double($0)) * step }.filter { $0 <= to }
  }

  /// A round number without digits that only rounding made.
  package static func label(_ value: Double) -> String {
    let digits = String(format: "%.6g", value)
    return digits == "-0" ? "0" : digits
  }
}
