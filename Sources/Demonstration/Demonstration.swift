import Backbones
import Datasets
import Evaluation
import Foundation
import Generation
import Media
import Pages
import Runtime

/// What a reference can be used for, shown by an embedded model: clips, a page and a picture of all of them.
package struct Demonstration: Sendable {
  private let template: GenerationRequest
  private let directory: String
  private let writing: VideoWriter.Options

  /// - Parameters:
  ///   - template: settings of all generations.
  ///   - directory: where everything goes; made if it is not there.
  package init(_ template: GenerationRequest, directory: String, overwrites: Bool) {
    self.template = template
    self.directory = directory
    var writing = VideoWriter.Options()
    writing.overwrites = overwrites
    self.writing = writing
  }

  package var page: String { "\(directory)/index.html" }
  package var sheet: String { "\(directory)/contact-sheet.png" }

  /// A finished item.
  struct Result: Sendable {
    let item: DemoPlan.Item
    /// The clips beside each other, in the order of `panels`.
    let reference: VideoClip
    let image: VideoClip
    let generated: VideoClip
    let truth: VideoClip
    let alignment: MiniatureAlignment
    let strip: ClipStrip

    static let panels = ["reference", "image", "generated", "truth"]
  }

  /// Makes everything; inputs and results are kept as files, too.
  package func run(_ backbone: some VideoPromptBackbone, observer: @escaping RunObserver) throws {
    for name in ["inputs", "videos", "side-by-side"] { try Folder.make("\(directory)/\(name)") }
    let plan = DemoPlan()
    observer(.stage("demonstration", units: plan.sections.reduce(0) { $0 + $1.items.count }))
    var results: [(section: DemoPlan.Section, results: [Result])] = []
    var done = 0
    for section in plan.sections {
      results.append((section, []))
      for item in section.items {
        try Interruption.check()
        results[results.count - 1].results.append(try make(item, backbone))
        done += 1
        observer(.progress(done))
      }
    }
    let picture = ContactSheet(results.map(\.results)).picture
    try ImageWriter.writePNG(picture, to: sheet, overwrites: writing.overwrites)
    try AtomicFile.write(Data(DemoPage(results).text.utf8), to: page)
  }

  private func make(_ item: DemoPlan.Item, _ backbone: some VideoPromptBackbone) throws -> Result {
    let natural = backbone.naturalGeometry
    var format = MiniatureClip.Format()
    (format.size, format.frames) = (natural.width, natural.frames)
    let (reference, truth) = (item.reference.render(format), item.target.render(format))
    let image = truth.selecting([0])
    var request = template
    request.image = "\(directory)/inputs/\(item.name)-image.png"
    request.caption = item.caption
    let shown = "\(directory)/inputs/\(item.name)-reference.mkv"
    request.references = [.init(path: shown, caption: item.reference.caption(isNeutral: true))]
    try VideoWriter.write(image, to: request.image ?? "", options: writing)
    try VideoWriter.write(reference, to: shown, options: writing)

    // What the generator tells of its stages would hide the demonstration's own progress.
    let generator = try Generator(backbone, request, observer: { _ in })
    let inputs = try generator.readInputs(observer: { _ in })
    let generated = try generator.decode(
      generator.denoise(inputs, observer: { _ in }), savedLatents: "none", observer: { _ in })
    let parts = [reference, image, generated, truth]
    // There are clips to join.
    let joined = VideoClip.sideBySide(parts) ?? generated
    try VideoWriter.write(generated, to: "\(directory)/videos/\(item.name).mp4", options: writing)
    try VideoWriter.write(joined.enlarged(by: 4), to: "\(directory)/side-by-side/\(item.name).mp4", options: writing)
    return Result(
      item: item, reference: reference, image: image, generated: generated, truth: truth,
      alignment: MiniatureAlignment(generated, SampleTruth(target: item.target, reference: item.reference), format),
      strip: try ClipStrip(joined.enlarged(by: 3), panels: Result.panels, scratch: directory))
  }
}
