import Foundation
import Pages

/// A plot of one metric: a dot for each of the paper's systems and this one, or for each category where the paper has no
/// values, with intervals where they are known. SVG that follows the page's colours through the classes `own`, `other`,
/// `grid` and `label`.
struct IntervalPlot {
  struct Mark {
    let label: String
    let value: Double
    let lower: Double?
    let upper: Double?
    let isOwn: Bool
  }

  let title: String
  /// The title, and which way is better.
  let caption: String
  let marks: [Mark]
  /// Whether the other marks are the paper's systems, and not categories.
  let isBesidePublished: Bool
  /// Values that the axis shows in any case.
  private let ends: [Double]

  private static let width = 460.0
  /// Room for the longest label in the wide letters of some systems.
  private static let labelWidth = 172.0
  private static let valueWidth = 48.0
  private static let lineHeight = 24.0

  /// Nil without a mean, or anything to hold it against.
  init?(_ column: EvaluationResult.Column, _ result: EvaluationResult) {
    title = column.title
    caption = "\(title), \(column.kind?.prefersLow == true ? "lower" : "higher") is better"
    ends = column.kind?.isRightOrWrong == true ? [0, 100] : []
    let published = PublishedResults.all.compactMap { row in
      row.scores[column.name].map { Mark(label: row.system, value: $0, lower: nil, upper: nil, isOwn: false) }
    }
    guard let summary = result.summaries.first(where: { $0.name == column.name }), let mean = summary.mean else {
      return nil
    }
    let categories = summary.categories.map {
      Mark(label: $0.name, value: $0.mean, lower: $0.lower, upper: $0.upper, isOwn: false)
    }
    let own = Mark(label: result.system, value: mean, lower: summary.lower, upper: summary.upper, isOwn: true)
    isBesidePublished = !published.isEmpty
    let others = isBesidePublished ? published : categories
    guard !others.isEmpty else { return nil }
    marks = others + [own]
  }

  var svg: String {
    let values = marks.flatMap { [$0.value, $0.lower, $0.upper].compactMap { $0 } } + ends
    let (least, most) = (values.min() ?? 0, values.max() ?? 1)
    // Around a single value as much as the value is large, or the axis would tell of digits that nothing has.
    let margin = max((most > least ? most - least : abs(most)) * 0.05, 0.01)
    let (from, to) = (least - margin, most + margin)
    let plotWidth = Self.width - Self.labelWidth - Self.valueWidth
    func x(_ value: Double) -> String { Self.text(Self.labelWidth + (value - from) / (to - from) * plotWidth) }
    let height = Double(marks.count) * Self.lineHeight + 28
    let name = HTMLText.escaped(title)
    var parts = [
      "<svg viewBox=\"0 0 \(Self.text(Self.width)) \(Self.text(height))\" role=\"img\" aria-label=\"\(name)\">"
    ]
    for step in PlotAxis.ticks(from, to) {
      parts.append(
        "<line class=\"grid\" x1=\"\(x(step))\" x2=\"\(x(step))\" y1=\"4\" y2=\"\(Self.text(height - 22))\"/>")
      parts.append(
        "<text class=\"label\" x=\"\(x(step))\" y=\"\(Self.text(height - 6))\" text-anchor=\"middle\">"
          + "\(PlotAxis.label(step))</text>")
    }
    for (index, mark) in marks.enumerated() {
      let y = Self.text(Double(index) * Self.lineHeight + 16)
      let kind = mark.isOwn ? "own" : "other"
      parts.append(
        "<text class=\"label \(kind)\" x=\"\(Self.text(Self.labelWidth - 10))\" y=\"\(y)\" dy=\"4\" "
          + "text-anchor=\"end\">\(HTMLText.escaped(Self.shortened(mark.label, to: mark.isOwn ? 18 : 20)))</text>")
      if let lower = mark.lower, let upper = mark.upper {
        parts.append("<line class=\"\(kind)\" x1=\"\(x(lower))\" x2=\"\(x(upper))\" y1=\"\(y)\" y2=\"\(y)\"/>")
      }
      parts.append("<circle class=\"\(kind)\" cx=\"\(x(mark.value))\" cy=\"\(y)\" r=\"5\"/>")
      parts.append(
        "<text class=\"label\" x=\"\(Self.text(Self.width))\" y=\"\(y)\" dy=\"4\" text-anchor=\"end\">"
          + "\(ReportTable.number(mark.value))</text>")
    }
    return parts.joined() + "</svg>"
  }

  private static func text(_ value: Double) -> String { String(format: "%.1f", value) }

  private static func shortened(_ label: String, to length: Int) -> String {
    label.count > length ? label.prefix(length - 1) + "…" : label
  }
}
