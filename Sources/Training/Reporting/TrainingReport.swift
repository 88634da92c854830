import Datasets
import Foundation
import Pages
import Runtime

/// What a run's report tells besides its steps and validations.
package struct RunFacts: Sendable {
  /// Of the run's folder.
  package let name: String
  package let progress: TrainingProgress
  /// The last step.
  package let steps: Int
  package let identity: RunIdentity
  /// Further settings and numbers, in the order they are shown.
  package let details: [RunDetail]
  package let bad: BadItems
  package let pace: RunPace
}

/// A line of the report's table of settings.
package struct RunDetail: Sendable, Equatable {
  package let name: String
  package let value: String

  package init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// Writes a run as one page that needs nothing else: curves, validation clips, what was left out, settings.
struct TrainingReport {
  private let facts: RunFacts
  private let history: RunHistory
  private let validations: [ValidationClips.Entry]

  /// - Parameter validations: the newest first.
  init(_ facts: RunFacts, _ history: RunHistory, _ validations: [ValidationClips.Entry]) {
    self.facts = facts
    self.history = history
    self.validations = validations
  }

  var text: String {
    HTMLPage(
      title: "Training of \(facts.name)", parts: [introduction, curves, clips, skippedSteps, badVideos, settings]
    ).text
  }

  // MARK: - Parts of the page

  private var introduction: String {
    var sentences = ["Step \(facts.progress.step) of \(facts.steps)."]
    if let loss = facts.progress.smoothedLoss { sentences.append("Smoothed loss \(Self.number(loss)).") }
    if facts.pace.steps > 0 { sentences.append("This process: \(facts.pace.summary).") }
    return "<p class=\"quiet\">\(HTMLText.escaped(sentences.joined(separator: " ")))</p>"
  }

  private var curves: String {
    let plots = [
      LinePlot(
        title: "Loss, and smoothed",
        [
          .init(name: "loss", points: history.curve(\.losses), isOwn: false),
          .init(name: "smoothed loss", points: history.smoothedLosses, isOwn: true),
        ], prefersLogarithm: true),
      LinePlot(
        title: "Learning rate", [.init(name: "learning rate", points: history.curve(\.learningRates), isOwn: true)]),
      LinePlot(
        title: "Gradient norm before clipping",
        [.init(name: "gradient norm", points: history.curve(\.gradientNorms), isOwn: true)], prefersLogarithm: true),
    ]
    let measures = history.measures.keys.sorted().map { name in
      let title = "\(name.replacing("_", with: " ")), smoothed"
      return LinePlot(
        title: title.prefix(1).uppercased() + title.dropFirst(),
        [.init(name: name, points: history.smoothedMeasure(name), isOwn: true)])
    }
    let figures = (plots + measures + metricPlots).map { HTMLPage.figure($0.title, $0.svg) }
    return "<h2>Curves over steps</h2><div class=\"plots\">\(figures.joined())</div>"
  }

  /// One for each metric that more than one validation has.
  private var metricPlots: [LinePlot] {
    let names = Set(validations.flatMap { $0.record.map { Array($0.metrics.keys) } ?? [] }).sorted()
    return names.compactMap { name in
      let points = validations.reversed().compactMap { entry in
        entry.record?.metrics[name].map { (x: Double(entry.step), y: $0) }
      }
      guard points.count > 1 else { return nil }
      return LinePlot(
        title: "Validation: \(Self.title(ofMetric: name))", [.init(name: name, points: points, isOwn: true)],
        range: MiniatureAccuracy.Result.isShare(name) ? 0...1 : nil)
    }
  }

  private var clips: String {
    guard !validations.isEmpty else { return "" }
    let shown = validations.enumerated().filter { $0 == 0 || $1.strip != nil || $1.fault != nil }
    let cards = shown.map { card($1) }.joined(separator: "\n")
    let others = validations.dropFirst().filter {
      $0.strip == nil && $0.fault == nil && $0.record?.panels.isEmpty == false
    }
    let links = others.map { entry in
      "<a href=\"validation/\(CheckpointStore.name(step: entry.step)).mp4\">\(entry.step)</a>"
    }.joined(separator: ", ")
    let more = others.isEmpty ? "" : "<p class=\"quiet\">Also after steps \(links).</p>"
    return "<h2>Validation</h2><div class=\"samples\">\n\(cards)\n</div>\(more)"
  }

  private func card(_ entry: ValidationClips.Entry) -> String {
    let metrics = (entry.record?.metrics ?? [:]).sorted { $0.key < $1.key }.map { name, value in
      "<div><dt>\(HTMLText.escaped(Self.title(ofMetric: name)))</dt><dd>\(Self.number(value))</dd></div>"
    }.joined()
    let fault = entry.fault.map { "<p class=\"warning\">\(HTMLText.escaped($0))</p>" } ?? ""
    return """
      <article class="sample">
      <h3>Step \(entry.step)</h3>
      \(entry.strip?.html ?? "")
      <p>\(HTMLText.escaped(entry.record?.caption ?? ""))</p>
      <dl>\(metrics)</dl>\(fault)
      </article>
      """
  }

  private var skippedSteps: String {
    guard history.skippedCount > 0 else { return "" }
    let items = history.skipped.map { "<li>Step \($0.step): \(HTMLText.escaped($0.reason))</li>" }.joined()
    return "<h2>Steps without effect: \(history.skippedCount)</h2><ul>\(items)"
      + Self.rest(history.skippedCount - history.skipped.count) + "</ul>"
  }

  private var badVideos: String {
    guard facts.bad.count > 0 else { return "" }
    let shown = facts.bad.items.prefix(100)
    let items = shown.map { "<li>\(HTMLText.escaped($0.line))</li>" }.joined()
    return "<h2>Rows and videos left out: \(facts.bad.count)</h2><ul>\(items)"
      + Self.rest(facts.bad.count - shown.count) + "</ul>"
  }

  private static func rest(_ count: Int) -> String { count > 0 ? "<li>and \(count) more</li>" : "" }

  private var settings: String {
    let identity = facts.identity
    let rows =
      facts.details.map { [$0.name, $0.value] }
      + identity.settings.sorted { $0.key < $1.key }.map { [$0.key, Self.shortened($0.value)] }
      + [
        ["digest of the settings", identity.settingsDigest], ["digest of the data", identity.dataDigest],
        ["digest of the model's configuration", identity.modelDigest], ["program", "vap \(programVersion)"],
      ]
    return "<h2>Settings and identity</h2>"
      + ReportTable(header: ["setting", "value"], rows: rows, textColumns: 2).html()
  }

  // MARK: - Words

  /// A list whose values are all alike says it once: what is published, for example.
  private static func shortened(_ value: String) -> String {
    let parts = value.components(separatedBy: ", ")
    return parts.count > 1 && Set(parts) == ["published"] ? "published" : value
  }

  private static func title(ofMetric name: String) -> String {
    switch name {
    case "psnr": "PSNR to the target, dB"
    case MiniatureAccuracy.Result.accuracyName: "\(name): share nearest to the right one of 24 conditions, chance 0.042"
    default: name
    }
  }

  private static func number(_ value: Double) -> String { String(format: "%.4g", value) }
}
