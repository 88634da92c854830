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
      parts: [introduction, overview, published, categories, remarks, clips, samples]
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
    let published =
      PublishedResults.having(result.columns).isEmpty
      ? "" : "; rows without them are the paper's, on its own benchmark"
    let direction = result.directionSentence.map { " \(HTMLText.escaped($0))" } ?? ""
    return "<p class=\"quiet\">\(result.samples.count) samples. Brackets are 95 % bootstrap intervals of the mean"
      + "\(published).\(direction)</p>\(warning)"
  }

  private var overview: String {
    let table = ReportTable.overview(result)
    return "<h2>Overview</h2>" + table.html(own: result.system)
  }

  private var published: String {
    let plots = plots { $0.isBesidePublished }
    return plots.isEmpty ? "" : "<h2>Beside the paper's systems</h2>" + plots
  }

  private var categories: String {
    guard let table = ReportTable.categories(result) else { return "" }
    return "<h2>By category</h2>" + plots { !$0.isBesidePublished } + table.html(isSortable: true)
  }

  private func plots(_ isIncluded: (IntervalPlot) -> Bool) -> String {
    let plots = result.columns.compactMap { IntervalPlot($0, result) }.filter(isIncluded)
    guard !plots.isEmpty else { return "" }
    return "<div class=\"plots\">\(plots.map { HTMLPage.figure($0.caption, $0.svg) }.joined())</div>"
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
    let attributes = result.columns.enumerated().compactMap { index, column in
      sample.scores[column.name].map { " data-score\(index)=\"\($0)\"" }
    }.joined()
    let values = result.columns.compactMap { column in
      ReportTable.score(of: sample, column).map {
        "<div><dt>\(HTMLText.escaped(column.title))</dt><dd>\(HTMLText.escaped($0))</dd></div>"
      }
    }.joined()
    let name = [sample.condition, sample.category].compactMap { $0 }.joined(separator: ", ")
    // What a wrong clip was taken for stands with its score.
    let told = result.columns.filter { $0.kind?.isRightOrWrong == true && sample.scores[$0.name] != nil }.map(\.name)
    let notes = sample.notes.filter { !told.contains($0.key) }.sorted { $0.key < $1.key }.map {
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
