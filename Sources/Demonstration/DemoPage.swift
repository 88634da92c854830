import Datasets
import Foundation
import Pages

/// The gallery: every section with its clips, in one page that needs nothing else.
struct DemoPage {
  private let sections: [(section: DemoPlan.Section, results: [Demonstration.Result])]

  init(_ sections: [(section: DemoPlan.Section, results: [Demonstration.Result])]) { self.sections = sections }

  var text: String { HTMLPage(title: "One reference, any subject", parts: [introduction] + sections.map(html)).text }

  private var introduction: String {
    let results = sections.flatMap(\.results)
    let right = results.count { $0.alignment.nearestByPixels == $0.item.reference.condition }
    return
      "<p>A reference video shows what is to happen, an image shows to whom. Captions name the subject only, unless "
      + "shown otherwise; subjects and backgrounds are none that training showed. The last clip of each row is what the "
      + "renderer would make, which the model never sees.</p>"
      + "<p class=\"quiet\">\(right) of \(results.count) generated clips are nearest to the right one among what all "
      + "conditions would make of the image.</p>"
  }

  private func html(_ part: (section: DemoPlan.Section, results: [Demonstration.Result])) -> String {
    "<h2>\(HTMLText.escaped(part.section.title))</h2><p>\(HTMLText.escaped(part.section.text))</p>"
      + "<div class=\"samples\">\(part.results.map(card).joined(separator: "\n"))</div>"
  }

  private func card(_ result: Demonstration.Result) -> String {
    let nearest = result.alignment.nearestByPixels?.rawValue.replacing("_", with: " ") ?? "nothing"
    let facts = [
      ("nearest to", nearest), ("speed shown", String(format: "%.2f", result.alignment.shownSpeed)),
      ("speed generated", String(format: "%.2f", result.alignment.generatedSpeed)),
    ]
    return """
      <article class="sample">
      <h3>\(HTMLText.escaped(result.item.title))</h3>
      \(result.strip.html)
      <p>\(HTMLText.escaped(result.item.caption))</p>
      <dl>\(facts.map { "<div><dt>\($0.0)</dt><dd>\(HTMLText.escaped($0.1))</dd></div>" }.joined())</dl>
      </article>
      """
  }
}
