import Datasets
import Foundation
import Pages

extension Demonstration.Result {
  /// Whether the clip is nearest to what the reference's condition would make of the image.
  fileprivate var isRight: Bool { alignment.nearestByPixels == item.reference.condition }
}

/// The gallery: every section with its clips, in one page that needs nothing else.
struct DemoPage {
  private let sections: [(section: DemoPlan.Section, results: [Demonstration.Result])]

  init(_ sections: [(section: DemoPlan.Section, results: [Demonstration.Result])]) { self.sections = sections }

  var text: String { HTMLPage(title: "One reference, any subject", parts: [introduction] + sections.map(html)).text }

  private var introduction: String {
    let results = sections.flatMap(\.results)
    func count(trained isTrained: Bool) -> String {
      let counted = results.filter { $0.item.reference.condition.isTrained == isTrained }
      return "\(counted.count(where: \.isRight)) of \(counted.count)"
    }
    return
      "<p>A reference video shows what is to happen, an image shows to whom. Captions name the subject only, unless "
      + "shown otherwise; subjects and backgrounds are none that training showed. The last clip of each row is what the "
      + "renderer would make, which the model never sees.</p>"
      + "<p class=\"quiet\">\(count(trained: true)) generated clips, and \(count(trained: false)) of conditions that were "
      + "never trained, are nearest to the right one among what all conditions would make of the image. Subjects blur, as the "
      + "model is small. At a speed of 1 a change is complete after four fifths of a clip from where it begins.</p>"
  }

  private func html(_ part: (section: DemoPlan.Section, results: [Demonstration.Result])) -> String {
    "<h2>\(HTMLText.escaped(part.section.title))</h2><p>\(HTMLText.escaped(part.section.text))</p>"
      + "<div class=\"samples\">\(part.results.map(card).joined(separator: "\n"))</div>"
  }

  private func card(_ result: Demonstration.Result) -> String {
    let nearest = result.alignment.nearestByPixels?.rawValue.replacing("_", with: " ") ?? "nothing"
    let facts = [
      ("nearest to", nearest + (result.isRight ? "" : ", which is wrong")),
      ("speed shown", String(format: "%.2f", result.alignment.shownSpeed)),
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
