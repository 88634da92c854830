import Backbones
import Compute
import Datasets
import Foundation
import Layers
import Runtime
import Training

/// One run of `vap train` on clips of the miniature world: the transformer of a small CogVideoX pipeline.
///
/// Without references (`references: 0`) the backbone learns from captions; with one, the expert learns from references, and
/// captions say nothing.
struct MiniatureTrainJob: TrainingJob {
  private let settings: TrainSettings
  private let miniature: MiniatureSettings
  private let folder: RunFolder
  private let backbone: CogVideoXBackbone
  private let geometry: ClipGeometry
  let recipe: TrainRecipe

  /// Checks everything that can be checked before weights are looked at.
  init(_ settings: TrainSettings, _ miniature: MiniatureSettings) throws {
    folder = try settings.folder()
    guard settings.clips.data == nil else {
      throw UsageFailure("'miniature' draws clips of its own; leave 'data' out")
    }
    guard (0...1).contains(settings.references) else {
      throw UsageFailure("references", "must be 0 or 1 with 'miniature', not \(settings.references)")
    }
    recipe = try TrainRecipe(settings, usesManifest: false)
    backbone = try Self.openPipeline(settings, settings.additions())
    guard settings.references == 1 || !backbone.transformer.hasExpert else {
      throw UsageFailure(
        "references", "must be 1 with 'train: expert' and for models with an expert, which reads one, not 0")
    }
    geometry = miniature.geometry
    try backbone.check(geometry, referenceCount: settings.references)
    self.settings = settings
    self.miniature = miniature
    if let threads = settings.threads { Workers.threadCount = threads }
  }

  static func openPipeline(
    _ settings: TrainSettings, _ additions: TransformerAdditions = TransformerAdditions()
  ) throws -> CogVideoXBackbone {
    guard let name = settings.clips.model, !name.isEmpty else {
      throw UsageFailure("--model is missing: the directory of a pipeline (see vap init)")
    }
    let model = try PipelineName.directory(name)
    guard try BackboneKind(directory: model) == .cogVideoX else {
      throw UsageFailure("\(printable(model)): 'miniature' is for CogVideoX pipelines (see vap init)")
    }
    return try CogVideoXBackbone(directory: model, additions: additions)
  }

  func run() throws {
    let printer = ProgressPrinter()
    defer { printer.finish() }
    let observer: RunObserver = { printer.show($0) }
    let options = BackboneOptions(usesTiles: false)
    let encoder = try backbone.makeClipEncoder(options, observer: observer)
    let showsReference = settings.references > 0
    let source = MiniatureSamples(
      MiniatureStream(seed: settings.seed), miniature.samples, encoder: encoder, showsReference: showsReference)
    observer(.stage("load transformer", units: 0))
    let model = try backbone.makeTraining(
      backbone.openWeights(), geometry, faults: recipe.steps.faults, training: backbone.isTrained)
    let trainer = try Trainer(
      model, source: source, optimizer: recipe.optimizer, schedule: recipe.schedule, settings: recipe.steps,
      averageDecay: settings.ema)
    let configuration = try backbone.configurationText()
    let identity = try RunIdentity(
      settings: recipe.identity(miniature.identity), data: source.digest,
      model: ContentDigest(ofParts: [configuration]).description,
      weights: backbone.additions.weightsDigest(backbone.directory))
    let file = "\(folder.path)/config.json"
    var run = try TrainingRun(
      trainer, in: folder, recipe.run, identity: identity, configuration: file, adapters: backbone.adapterExport)
    try AtomicFile.write(Data(configuration.utf8), to: file)
    try run.resume(observer)
    let accuracy = MiniatureAccuracy(
      MiniatureStream(seed: settings.seed), miniature.format, encoder: encoder, scenes: miniature.scenes,
      showsReference: showsReference)
    let validation = MiniatureValidation(backbone, settings, miniature, folder)
    try run.run(observer) { trainer in
      let model = try backbone.makeMeasured(trainer.shownWeights, geometry)
      let result = try accuracy.measure(model, step: trainer.progress.step)
      observer(.note(result.line))
      let record = try validation.run(
        step: result.step, trainer.shownWeights, metrics: result.metrics, observer: observer)
      observer(.stage("train", units: 0))
      return record
    }
    printer.finish()
    print(folder.path)
  }
}
