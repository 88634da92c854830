import Testing

@testable import Pages

@Suite("Plots")
struct PlotTests {
  @Test(
    "ticks are round and inside",
    arguments: [(0.0, 1.0, [0, 0.5, 1]), (22.1, 24.2, [23.0, 24]), (97.4, 98.6, [97.5, 98, 98.5]), (5.0, 5.0, [])])
  func ticks(from: Double, to: Double, expected: [Double]) {
    let ticks = PlotAxis.ticks(from, to)
    #expect(ticks.count == expected.count && zip(ticks, expected).allSatisfy { abs($0 - $1) < 1e-9 }, "\(ticks)")
  }

  @Test("values over many powers of ten are shown logarithmically where that is asked for")
  func logarithm() {
    let axis = PlotAxis(showing: [0.001, 1, 10], prefersLogarithm: true)
    #expect(axis.scale == .logarithmic)
    #expect(axis.ticks.map(PlotAxis.label) == ["0.001", "0.01", "0.1", "1", "10"])
    #expect(abs(axis.position(of: 0.1) - 0.5) < 1e-12)
    #expect(PlotAxis(showing: [0, 10], prefersLogarithm: true).scale == .linear)
    #expect(PlotAxis(showing: [0.001, 10]).scale == .linear)
    #expect(PlotAxis(showing: [1e-9, 1e9], prefersLogarithm: true).ticks.count <= 6)
  }

  @Test("all values lie on the axis, also a single one or none", arguments: [[3.0], [0], [-2, 5], []])
  func inside(values: [Double]) {
    let axis = PlotAxis(showing: values)
    for value in values { #expect((0...1).contains(axis.position(of: value))) }
    #expect(axis.ticks.filter { !$0.isFinite } == [])
  }

  @Test("values that are all alike do not make a scale of rounding errors; a given range is kept")
  func flat() {
    #expect(PlotAxis(showing: [0, 0]).ticks.contains(1))
    #expect(PlotAxis(showing: [200, 200]).ticks.contains(190))
    let points = [(x: 1.0, y: 0.2), (x: 2, y: 0.3)]
    let svg = LinePlot(title: "share", [.init(name: "share", points: points, isOwn: true)], range: 0...1).svg
    #expect(svg.contains(">0</text>") && svg.contains(">1</text>"))
  }

  @Test("a curve breaks where a value is missing, and names are escaped")
  func curve() {
    let points = [(1.0, 1.0), (2, 2), (3, .nan), (4, 1)].map { (x: $0.0, y: $0.1) }
    let svg = LinePlot(title: "<loss>", [.init(name: "a & b", points: points, isOwn: true)]).svg
    #expect(svg.contains("aria-label=\"&lt;loss&gt;\"") && svg.contains("<title>a &amp; b</title>"))
    let path = svg.components(separatedBy: " d=\"")[1].prefix { $0 != "\"" }
    #expect(path.filter("ML".contains) == "MLM", "\(path)")
    #expect(!svg.contains("nan"))
  }

  @Test("a plot without any values is still a picture")
  func empty() {
    let svg = LinePlot(title: "loss", []).svg
    #expect(svg.hasPrefix("<svg") && svg.hasSuffix("</svg>") && !svg.contains("nan"))
  }
}
