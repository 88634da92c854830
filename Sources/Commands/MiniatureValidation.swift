import Backbones
import Datasets
import Media
import Runtime
import Training

/// The clip that a training on the miniature world makes after some steps: of a subject that it never shows, and always
/// the same, so that the clips of a run can be compared.
struct MiniatureValidation {
  private let clip: ValidationClip<CogVideoXBackbone>
  private let settings: TrainSettings
  private let format: MiniatureClip.Format
  private let geometry: ClipGeometry
  private let target: MiniatureClip
  /// Nil where captions tell what is to happen.
  private let reference: MiniatureClip?

  /// Where and when something is to happen can be seen in it.
  private static let condition = MiniatureCondition.flood
  /// Pixels; a miniature's own clips are stamps.
  private static let shownHeight = 192

  init(_ backbone: CogVideoXBackbone, _ settings: TrainSettings, _ miniature: MiniatureSettings, _ folder: RunFolder) {
    clip = ValidationClip(
      backbone: backbone, folder: folder, enlargement: max(1, Self.shownHeight / miniature.size))
    self.settings = settings
    format = miniature.format
    geometry = miniature.geometry
    let stream = MiniatureStream(seed: settings.seed)
    target = stream.heldOutClip(scene: 0, member: 0, Self.condition)
    reference = settings.references > 0 ? stream.heldOutClip(scene: 0, member: 1, Self.condition) : nil
  }

  /// - Parameter metrics: what was measured besides.
  func run(
    step: Int, _ weights: CurrentWeights, metrics: [String: Double], observer: @escaping RunObserver
  ) throws -> ValidationRecord? {
    let folder = clip.folder.validation
    try Folder.make(folder)
    let truth = target.render(format)
    var writing = VideoWriter.Options()
    writing.overwrites = true
    let image = "\(folder)/image.png"
    try VideoWriter.write(truth.selecting([0]), to: image, options: writing)
    var request = settings.validationRequest(
      model: clip.backbone.directory, image: image, caption: target.caption(isNeutral: reference != nil), geometry)
    request.frameRate = truth.frameRate
    if let reference {
      let path = "\(folder)/reference.mp4"
      try VideoWriter.write(reference.render(format), to: path, options: writing)
      request.references = [.init(path: path, caption: reference.caption(isNeutral: true))]
    }
    // It takes a second, whose stages nobody wants to read of.
    return try clip.make(
      request, step: step, weights, metrics: metrics, observer: RunEvent.remarks(to: observer)
    ) { _ in truth }
  }
}
