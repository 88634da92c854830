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
  private let overwrites: Bool

  /// - Parameters:
  ///   - template: settings of all generations.
  ///   - directory: where everything goes; made if it is not there.
  package init(_ template: GenerationRequest, directory: String, overwrites: Bool) {
    self.template = template
    self.directory = directory
    self.overwrites = overwrites
  }

  package var page: String { "\(directory)/index.html" }
  package var sheet: String { "\(directory)/contact-sheet.png" }
  /// Tells a demonstration that did not come to its end from files of others.
  private var mark: String { "\(directory)/unfinished.txt" }

  private static let folders = ["inputs", "videos", "side-by-side"]

  /// The files of an item.
  private struct Files {
    let image: String
    let reference: String
    let video: String
    let comparison: String

    var all: [String] { [image, reference, video, comparison] }
  }

  private func files(_ item: DemoPlan.Item) -> Files {
    Files(
      image: "\(directory)/inputs/\(item.name)-image.png", reference: "\(directory)/inputs/\(item.name)-reference.mkv",
      video: "\(directory)/videos/\(item.name).mp4", comparison: "\(directory)/side-by-side/\(item.name).mp4")
  }

  private func targets(_ plan: DemoPlan) -> [String] {
    [page, sheet] + plan.sections.flatMap { $0.items.flatMap { files($0).all } }
  }

  /// Throws `DemonstrationFailure` if files would be replaced that are not to be: those of a finished demonstration, and of
  /// others. One that was interrupted is made anew.
  private func check() throws(DemonstrationFailure) {
    if overwrites { return }
    let isUnfinished = Folder.hasEntry(at: mark)
    for path in isUnfinished ? [page] : targets(DemoPlan()) where Folder.hasEntry(at: path) {
      throw DemonstrationFailure(path: path)
    }
  }

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

  /// Makes everything; inputs and results are kept as files, too. Throws `DemonstrationFailure` before that if files stand
  /// in the way.
  package func run(_ backbone: some VideoPromptBackbone, observer: @escaping RunObserver) throws {
    try check()
    let plan = DemoPlan()
    for name in Self.folders { try Folder.make("\(directory)/\(name)") }
    for path in targets(plan) + [mark] { try AtomicFile.checkWritableTarget(path) }
    try AtomicFile.write(Data("This demonstration was not finished; the same command makes it anew.\n".utf8), to: mark)
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
    try ImageWriter.writePNG(picture, to: sheet, overwrites: true)
    try AtomicFile.write(Data(DemoPage(results).text.utf8), to: page)
    unlink(mark)
  }

  private func make(_ item: DemoPlan.Item, _ backbone: some VideoPromptBackbone) throws -> Result {
    let natural = backbone.naturalGeometry
    var format = MiniatureClip.Format()
    (format.size, format.frames) = (natural.width, natural.frames)
    let (reference, truth) = (item.reference.render(format), item.target.render(format))
    let image = truth.selecting([0])
    var request = template
    let files = files(item)
    var writing = VideoWriter.Options()
    // What may not be replaced was looked for before anything was made.
    writing.overwrites = true
    request.image = files.image
    request.caption = item.caption
    request.references = [.init(path: files.reference, caption: item.reference.caption(isNeutral: true))]
    try VideoWriter.write(image, to: files.image, options: writing)
    try VideoWriter.write(reference, to: files.reference, options: writing)

    // What the generator tells of its stages would hide the demonstration's own progress.
    let generator = try Generator(backbone, request, observer: { _ in })
    let inputs = try generator.readInputs(observer: { _ in })
    let generated = try generator.decode(
      generator.denoise(inputs, observer: { _ in }), savedLatents: "none", observer: { _ in })
    let parts = [reference, image, generated, truth]
    // There are clips to join.
    let joined = VideoClip.sideBySide(parts) ?? generated
    try VideoWriter.write(generated, to: files.video, options: writing)
    try VideoWriter.write(joined.enlarged(by: 4), to: files.comparison, options: writing)
    return Result(
      item: item, reference: reference, image: image, generated: generated, truth: truth,
      alignment: MiniatureAlignment(generated, SampleTruth(target: item.target, reference: item.reference), format),
      strip: try ClipStrip(joined.enlarged(by: 3), panels: Result.panels, scratch: directory))
  }
}

/// A file that a demonstration would replace.
package struct DemonstrationFailure: Failure, Equatable {
  package let path: String

  package var category: FailureCategory { .usage }
  package var message: String {
    "\(printable(path, limit: 1024)) exists already; give --overwrite to replace it, or choose another folder"
  }
}
