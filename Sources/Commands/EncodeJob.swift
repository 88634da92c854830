import Backbones
import Datasets
import Foundation
import Runtime
import Training

/// One run of `vap encode`.
struct EncodeJob {
  let backbone: any ClipEncodingBackbone
  /// The pipeline's folder.
  let model: String
  let geometry: ClipGeometry
  private let options: BackboneOptions
  private let manifest: String
  private let folder: DataFolder
  private let cache: String
  let loader: ClipLoader
  private let rules: PairingRules
  private let limit: BadLimit

  /// Checks everything that can be checked before videos are looked at.
  ///
  /// - Parameter additions: to the model's transformer, for a training.
  init(_ settings: EncodeSettings, additions: TransformerAdditions = TransformerAdditions()) throws {
    func required(_ value: String?, _ name: String, _ what: String) throws(UsageFailure) -> String {
      guard let value, !value.isEmpty else { throw UsageFailure("--\(name) is missing: \(what)") }
      return value
    }
    model = try PipelineName.directory(required(settings.model, "model", "the directory of a pipeline"))
    manifest = try Manifest.find(try required(settings.data, "data", "a manifest or its folder"))
    cache = try required(settings.cache, "cache", "the folder to fill")
    if let text = settings.maxBad {
      guard let limit = BadLimit(text) else {
        throw UsageFailure("--max-bad", "must be a number or a percentage, not '\(printable(text))'")
      }
      self.limit = limit
    } else {
      limit = .usual
    }
    let root = settings.root ?? URL(fileURLWithPath: manifest).deletingLastPathComponent().path
    folder = try DataFolder(root, followsLinks: settings.followLinks ?? false)
    let kind = try BackboneKind(directory: model).open(directory: model, additions: additions)
    guard let backbone = kind as? any ClipEncodingBackbone else {
      throw UsageFailure("\(printable(model)): models of this kind cannot be trained by this program")
    }
    self.backbone = backbone
    let natural = backbone.naturalGeometry
    geometry = ClipGeometry(
      height: settings.height ?? natural.height, width: settings.width ?? natural.width,
      frames: settings.frames ?? natural.frames)
    try backbone.check(geometry, referenceCount: 0)
    var loader = ClipLoader(
      buckets: [ClipBucket(frames: geometry.frames, height: geometry.height, width: geometry.width)])
    if let name = settings.frameSelection {
      guard let selection = ClipLoader.Selection(rawValue: name) else {
        throw UsageFailure("--frame-selection", "must be evenly or first, not '\(printable(name))'")
      }
      loader.selection = selection
    }
    self.loader = loader
    options = BackboneOptions(
      usesTiles: settings.tiles ?? false, faults: try Compatibility(setting: settings.compatibility).faults)
    var rules = PairingRules()
    rules.scoreThreshold = settings.scoreThreshold ?? rules.scoreThreshold
    rules.condition = settings.condition
    try rules.validate()
    self.rules = rules
  }

  /// The samples of a training on these clips.
  func pairs(_ rules: PairingRules) throws -> EncodedPairs {
    let pool = try PairPool(Manifest(path: manifest, limit: limit), rules)
    return EncodedPairs(PairSampler(pool, rules), try source(), limit: limit)
  }

  /// The place of a video that the manifest names.
  func file(_ video: String) throws -> String { try folder.file(video) }

  private func source() throws -> EncodedClipSource {
    try EncodedClipSource(
      backbone, options, folder: folder, loader: loader, cache: LatentCache(directory: cache))
  }

  func run() throws {
    let printer = ProgressPrinter()
    defer { printer.finish() }
    let pool = try PairPool(Manifest(path: manifest, limit: limit), rules)
    let filling = CacheFilling(pool, try source(), dropsCaptions: true, limit: limit)
    let summary = try filling.run { printer.show($0) }
    printer.finish()
    print("\(summary.clips) clips and \(summary.captions) captions encoded, \(summary.kept) were there")
    for item in summary.bad.items.prefix(100) { print("left out: \(item.line)") }
    if summary.bad.count > 100 { print("left out: \(summary.bad.count - 100) more") }
  }
}
