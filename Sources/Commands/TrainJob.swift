import Backbones
import Compute
import Datasets
import Foundation
import Runtime
import Training

/// One run of `vap train`: checked settings, and what is made of them.
struct TrainJob {
  private let settings: TrainSettings
  private let clips: EncodeJob
  private let folder: RunFolder
  private let backbone: any TrainableBackbone
  private let recipe: TrainRecipe

  /// Checks everything that can be checked before weights and videos are looked at.
  init(_ settings: TrainSettings) throws {
    guard let output = settings.output, !output.isEmpty else {
      throw UsageFailure("--output is missing: the folder of the run")
    }
    recipe = try TrainRecipe(settings)
    var settings = settings
    // Without a folder of their own, encoded clips are kept with the run.
    settings.clips.cache = settings.clips.cache ?? "\(output)/cache"
    var additions = try TransformerAdditions(expert: settings.expert, adapterTexts: [])
    additions.plan = settings.plan
    additions.seed = settings.seed
    clips = try EncodeJob(settings.clips, additions: additions)
    guard let backbone = clips.backbone as? any TrainableBackbone else {
      throw UsageFailure(
        "\(printable(clips.backbone.directory)): models of this kind cannot be trained by this program")
    }
    let noised = try settings.flow.noising().map { noising in
      guard let noised = backbone.trained(with: noising) else {
        throw UsageFailure(
          "the settings beginning with 'sigma-' are for models that are trained by flow matching (Wan)")
      }
      return noised
    }
    try backbone.check(clips.geometry, referenceCount: settings.references)
    self.backbone = noised ?? backbone
    self.settings = settings
    folder = RunFolder(path: output)
    if let threads = settings.threads { Workers.threadCount = threads }
  }

  /// In which type weights and moments are kept.
  var precision: Precision { recipe.optimizer.precision }

  func run() throws {
    let printer = ProgressPrinter()
    defer { printer.finish() }
    try run(backbone, printer)
    printer.finish()
    print(folder.path)
  }

  private func run(_ backbone: some TrainableBackbone, _ printer: ProgressPrinter) throws {
    let observer: RunObserver = { printer.show($0) }
    let pairs = try clips.pairs(recipe.pairing)
    observer(.stage("load transformer", units: 0))
    let model = try backbone.makeTraining(
      backbone.openWeights(), clips.geometry, faults: recipe.steps.faults, training: backbone.isTrained)
    let trainer = try Trainer(
      model, source: ManifestSamples(pairs, observer: observer), optimizer: recipe.optimizer,
      schedule: recipe.schedule, settings: recipe.steps, averageDecay: settings.ema)
    let configuration = try backbone.configurationText()
    let identity = RunIdentity(
      settings: recipe.identity(clips), data: pairs.digest,
      model: ContentDigest(ofParts: [configuration]).description)
    let validation = TrainValidation(backbone, clips, pairs, settings, folder)
    let file = "\(folder.path)/config.json"
    var run = try TrainingRun(
      trainer, in: folder, recipe.run, identity: identity, configuration: file, adapters: backbone.adapterExport)
    try AtomicFile.write(Data(configuration.utf8), to: file)
    try run.resume(observer)
    try run.run(observer) { trainer in
      try validation.run(step: trainer.progress.step, CurrentWeights(trainer.model.parameters), observer: observer)
      observer(.stage("train", units: 0))
    }
  }
}
