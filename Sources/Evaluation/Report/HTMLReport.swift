import Pages

/// Writes a result as one page that needs nothing else: tables, plots and clips.
package struct HTMLReport {
  private let result: EvaluationResult
  private let strips: [Int: ClipStrip]

  /// - Parameter strips: clips side by side, by row; samples without one are shown without a video.
  package init(_ result: EvaluationResult, strips: [Int: ClipStrip]) {
    self.result = result
    self.strips = strips
  }

  package var text: String {
    HTMLPage(
      title: "\(result.system) on \(result.benchmark)",
      parts: [introduction, overview, plots, categories, remarks, clips, samples]
    ).text
  }

  // MARK: - Parts of the page

  private var introduction: String {
    let missing = result.missingSamples.map { "\($0.row)" }
    let warning =
      missing.isEmpty
      ? ""
      : "<p class=\"warning\">\(missing.count) of \(result.samples.count) samples are missing and left out of every mean: "
        + "rows \(missing.joined(separator: ", ")).</p>"
    return "<p class=\"quiet\">\(result.samples.count) samples. Brackets are 95 % bootstrap intervals of the mean; "
      + "rows without them are the paper's, on its own benchmark.</p>\(warning)"
  }

  private var overview: String {
    let table = ReportTable.overview(result)
    return "<h2>Overview</h2>" + table.html(own: result.system)
  }

  private var plots: String {
    let figures = result.columns.compactMap { column in
      IntervalPlot(column, result).map { plot in
        HTMLPage.figure(plot.title, plot.svg)
      }
    }
    guard !figures.isEmpty else { return "" }
    return "<h2>Beside the paper's systems, or by category</h2><div class=\"plots\">\(figures.joined())</div>"
  }

  private var categories: String {
    guard let table = ReportTable.categories(result) else { return "" }
    return "<h2>By category</h2>" + table.html(isSortable: true)
  }

  private var remarks: String {
    var items = result.skipped.map { skipped in
      "<li>\(HTMLText.escaped(skipped.metric)) was not run: \(HTMLText.escaped(skipped.reason))</li>"
    }
    items += result.agreements.map { agreement in
      let value = agreement.rankCorrelation.map { ReportTable.number($0) } ?? "not defined"
      return "<li>Judges \(HTMLText.escaped(agreement.first)) and \(HTMLText.escaped(agreement.second)): "
        + "rank correlation \(value) over \(agreement.count) samples</li>"
    }
    items += result.judges.map { "<li>\(HTMLText.escaped($0.sentence))</li>" }
    if let speeds = result.speeds { items.append("<li>\(HTMLText.escaped(speeds.sentence))</li>") }
    return items.isEmpty ? "" : "<h2>Remarks</h2><ul>\(items.joined())</ul>"
  }

  private var clips: String {
    let names = Set(result.samples.compactMap(\.category)).sorted()
    let options = names.map { "<option>\(HTMLText.escaped($0))</option>" }.joined()
    let chooser =
      names.isEmpty
      ? ""
      : "<label>Category <select id=\"category\"><option value=\"\">all</option>\(options)</select></label>"
    // Attribute names of the cards: a column's place, as its name may hold any character.
    let orders = result.columns.enumerated().map { index, column in
      "<option value=\"score\(index)\">\(HTMLText.escaped(column.title)), lowest first</option>"
    }.joined()
    return """
      <h2>Clips</h2>
      <div class="controls">\(chooser)
      <label>Order <select id="order"><option value="row">row</option>\(orders)</select></label></div>
      <div class="samples">
      \(result.samples.map(card).joined(separator: "\n"))
      </div>
      """
  }

  private func card(_ sample: EvaluationResult.Sample) -> String {
    let scores = result.columns.enumerated().compactMap { index, column in
      sample.scores[column.name].map { (index, column.title, $0) }
    }
    let attributes = scores.map { " data-score\($0.0)=\"\($0.2)\"" }.joined()
    let values = scores.map {
      "<div><dt>\(HTMLText.escaped($0.1))</dt><dd>\(ReportTable.number($0.2))</dd></div>"
    }.joined()
    let name = [sample.condition, sample.category].compactMap { $0 }.joined(separator: ", ")
    let notes = sample.notes.sorted { $0.key < $1.key }.map {
      "<p class=\"warning\">\(HTMLText.escaped("\($0.key): \($0.value)"))</p>"
    }.joined()
    return """
      <article class="sample" data-row="\(sample.row)" data-category="\(HTMLText.escaped(sample.category ?? ""))"\(attributes)>
      <h3>Row \(sample.row)\(name.isEmpty ? "" : ": \(HTMLText.escaped(name))")</h3>
      \(strips[sample.row]?.html ?? "")
      <p>\(HTMLText.escaped(sample.caption))</p>
      <dl>\(values)</dl>\(notes)
      </article>
      """
  }

  private var samples: String { "<h2>Samples</h2>" + ReportTable.samples(result).html(isSortable: true) }
}
