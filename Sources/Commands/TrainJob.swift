import Backbones
import Compute
import Datasets
import Foundation
import Runtime
import Training

/// One rank's part in a run of `vap train`: checked settings, and what is made of them.
struct TrainJob: TrainingJob {
  private let settings: TrainSettings
  private let ranks: any Collective
  private let clips: EncodeJob
  private let folder: RunFolder
  private let backbone: any TrainableBackbone
  let recipe: TrainRecipe

  /// Checks everything that can be checked before weights and videos are looked at.
  init(_ settings: TrainSettings, _ ranks: any Collective) throws {
    guard let output = settings.output, !output.isEmpty else {
      throw UsageFailure("--output is missing: the folder of the run")
    }
    self.ranks = ranks
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
  }

  func run() throws {
    let printer = ProgressPrinter()
    defer { printer.finish() }
    try run(backbone) { if ranks.isFirst { printer.show($0) } }
    printer.finish()
    if ranks.isFirst { print(folder.path) }
  }

  private func run(_ backbone: some TrainableBackbone, _ observer: @escaping RunObserver) throws {
    try shareThreads(observer)
    let pairs = try ranks.together { try clips.pairs(recipe.pairing) }
    observer(.stage("load transformer", units: 0))
    let trainer = try ranks.together {
      let model = try backbone.makeTraining(
        backbone.openWeights(), clips.geometry, faults: recipe.steps.faults, training: backbone.isTrained)
      return try Trainer(
        model, source: ManifestSamples(pairs, observer: sampleObserver(observer)), optimizer: recipe.optimizer,
        schedule: recipe.schedule, settings: recipe.steps, averageDecay: settings.ema, collective: ranks)
    }
    let configuration = try backbone.configurationText()
    let identity = RunIdentity(
      settings: recipe.identity(clips, ranks: ranks.size), data: pairs.digest,
      model: ContentDigest(ofParts: [configuration]).description)
    let validation = TrainValidation(backbone, clips, pairs, settings, folder)
    let file = "\(folder.path)/config.json"
    var run = try TrainingRun(
      trainer, in: folder, recipe.run, identity: identity, configuration: file, adapters: backbone.adapterExport)
    if ranks.isFirst { try AtomicFile.write(Data(configuration.utf8), to: file) }
    try run.resume(observer)
    try run.run(observer) { trainer in
      try validation.run(step: trainer.progress.step, CurrentWeights(trainer.model.parameters), observer: observer)
      observer(.stage("train", units: 0))
    }
  }

  /// The first rank tells of the run; on others `sampleObserver` tells what only they know, videos that cannot be read.
  private func sampleObserver(_ observer: @escaping RunObserver) -> RunObserver {
    guard !ranks.isFirst else { return observer }
    let printer = ProgressPrinter()
    return { event in
      if case .warning(let text) = event { printer.show(.warning("rank \(ranks.rank): \(text)")) }
    }
  }

  /// Ranks on one machine share its processors, if the settings say nothing else.
  private func shareThreads(_ observer: RunObserver) throws {
    if ranks.size > 1 {
      let share = try ranks.threadShare()
      Workers.threadCount = settings.threads ?? share
      observer(.note("\(ranks.size) ranks, the first with \(Workers.threadCount) threads"))
    } else if let threads = settings.threads {
      Workers.threadCount = threads
    }
  }
}
