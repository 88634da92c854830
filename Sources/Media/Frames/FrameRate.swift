/// Frames per second as a fraction, such as 16/1 or 30000/1001.
package struct FrameRate: Sendable, Hashable, CustomStringConvertible {
  package let numerator: Int
  package let denominator: Int

  /// Rates outside of this range are taken for broken metadata: one frame per 1000 seconds to 1000 frames per second.
  package static let range = 0.001...1000.0

  /// Nil if the fraction is not positive, not finite (0/0) or outside of `range`.
  package init?(_ numerator: Int, _ denominator: Int = 1) {
    guard numerator > 0, denominator > 0, numerator <= Int(Int32.max), denominator <= Int(Int32.max),
      Self.range.contains(Double(numerator) / Double(denominator))
    else { return nil }
    self.numerator = numerator
    self.denominator = denominator
  }

  /// The nearest fraction for a decimal number: whole, a multiple of 1/1001 as television uses, or in thousandths.
  package init?(_ value: Double) {
    guard value.isFinite, Self.range.contains(value) else { return nil }
    if value == value.rounded() {
      self.init(Int(value))
    } else if abs(value * 1.001 - (value * 1.001).rounded()) < 0.001, value > 1 {
      self.init(Int((value * 1.001).rounded()) * 1000, 1001)
    } else {
      self.init(Int((value * 1000).rounded()), 1000)
    }
  }

  private init(known numerator: Int) {
    self.numerator = numerator
    denominator = 1
  }

  /// The rate that models of this family were trained at.
  package static let training = FrameRate(known: 16)
  /// What FFmpeg assumes for files that do not say.
  package static let assumed = FrameRate(known: 25)

  package var value: Double { Double(numerator) / Double(denominator) }
  package var description: String { denominator == 1 ? "\(numerator)" : "\(numerator)/\(denominator)" }
}
