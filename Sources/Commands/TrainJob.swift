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
  private let additions: TransformerAdditions

  /// Checks everything that can be checked before weights and videos are looked at.
  init(_ settings: TrainSettings, _ ranks: any Collective) throws {
    folder = try settings.folder()
    self.ranks = ranks
    recipe = try TrainRecipe(settings)
    var settings = settings
    // Without a folder of their own, encoded clips are kept with the run.
    settings.clips.cache = settings.clips.cache ?? "\(folder.path)/cache"
    let additions = try settings.additions()
    clips = try EncodeJob(settings.clips, additions: additions)
    guard let backbone = clips.backbone as? any TrainableBackbone else {
      throw UsageFailure(
        "\(printable(clips.backbone.directory)): models of this kind cannot be trained by this program")
    }
    try backbone.check(clips.geometry, referenceCount: settings.references)
    self.backbone = try Self.noised(backbone, settings)
    self.settings = settings
    self.additions = additions
  }

  /// The backbone with the settings' noise levels.
  private static func noised<Backbone: TrainableBackbone>(
    _ backbone: Backbone, _ settings: TrainSettings
  ) throws -> Backbone {
    guard let noising = try settings.flow.noising() else { return backbone }
    guard let noised = backbone.trained(with: noising) else {
      throw UsageFailure(
        "the settings beginning with 'sigma-' are for models that are trained by flow matching (Wan)")
    }
    return noised
  }

  func run() throws {
    let printer = ProgressPrinter()
    defer { printer.finish() }
    try run(backbone) { if ranks.isFirst { printer.show($0) } }
    printer.finish()
    if ranks.isFirst { print(folder.path) }
  }

  private func run<Backbone: TrainableBackbone>(_ backbone: Backbone, _ observer: @escaping RunObserver) throws {
    try shareThreads(observer)
    let pairs = try ranks.together { try clips.pairs(recipe.pairing) }
    let sampler = try settings.preference.map { preference in
      try ranks.together { try PreferenceSampler(pairs.sampler.pool, recipe.pairing, preference.rules) }
    }
    observer(.stage("load transformer", units: 0))
    // Stages of a validation count the program too.
    let program = max(0, MachineMemory.resident + TrainingMemory.libraries - StageMemory.program)
    let model = try ranks.together {
      try backbone.makeTraining(
        backbone.openWeights(), clips.geometry, faults: recipe.steps.faults, training: backbone.isTrained)
    }
    let memory = try self.memory(of: model, backbone, program: program)
    observer(.note(memory.summary))
    try ranks.together { try memory.check() }
    let run = Prepared(pairs: pairs, memory: memory, observer: observer)
    let watcher = sampleObserver(observer)
    guard let sampler, let objective = settings.preference?.objective else {
      return try train(backbone, model, on: ManifestSamples(pairs, observer: watcher), run)
    }
    let frozen = try ranks.together { try modelAtStart(like: backbone) }
    try train(
      backbone,
      PreferenceModel(
        model, frozen: frozen, objective: objective, precision: recipe.optimizer.precision),
      on: PreferenceSamples(sampler, pairs.rows, observer: watcher), run)
  }

  /// What a run has found out before its trainer is made.
  private struct Prepared {
    let pairs: EncodedPairs
    let memory: TrainingMemory
    let observer: RunObserver
  }

  private func train(
    _ backbone: some TrainableBackbone, _ model: some TrainingModel, on samples: some SampleSource,
    _ prepared: Prepared
  ) throws {
    let observer = prepared.observer
    let trainer = try ranks.together {
      try Trainer(
        model, source: samples, optimizer: recipe.optimizer, schedule: recipe.schedule, settings: recipe.steps,
        averageDecay: settings.ema, collective: ranks)
    }
    let configuration = try backbone.configurationText()
    let identity = try RunIdentity(
      settings: recipe.identity(clips, ranks: ranks.size), data: prepared.pairs.digest,
      model: ContentDigest(ofParts: [configuration]).description, weights: additions.weightsDigest(clips.model))
    let validation = TrainValidation(
      backbone, clips, prepared.pairs, settings, folder, memoryBudget: prepared.memory.validationBudget)
    let file = "\(folder.path)/config.json"
    var run = try TrainingRun(
      trainer, in: folder, recipe.run, identity: identity, configuration: file, adapters: backbone.adapterExport,
      details: details(model, backbone, prepared.memory))
    if ranks.isFirst { try AtomicFile.write(Data(configuration.utf8), to: file) }
    try run.resume(observer)
    try run.run(observer) { trainer in
      let record = try validation.run(
        step: trainer.progress.step, trainer.shownWeights, observer: observer)
      observer(.stage("train", units: 0))
      return record
    }
    let (peak, estimate) = (MachineMemory.peakResident, prepared.memory.peak)
    observer(.note("peak memory \(byteText(peak)), estimated \(byteText(estimate))"))
  }

  /// The model as the run starts with it, with nothing to train.
  private func modelAtStart<Backbone: TrainableBackbone>(like backbone: Backbone) throws -> Backbone.Training {
    let kind = try BackboneKind(directory: clips.model).open(directory: clips.model, additions: additions.atStart)
    guard let start = kind as? Backbone else {
      throw UsageFailure("\(printable(clips.model)): the model's files have changed while they were opened")
    }
    let noised = try Self.noised(start, settings)
    return try noised.makeTraining(
      noised.openWeights(), clips.geometry, faults: recipe.steps.faults, training: { _ in false })
  }

  private func memory(
    of model: some TrainingModel, _ backbone: some TrainableBackbone, program: Int
  ) throws -> TrainingMemory {
    let work = backbone.trainingWork(
      clips.geometry, referenceCount: settings.references, recomputes: recipe.steps.recomputes)
    let stages = try backbone.memoryNeeds(
      clips.geometry, referenceCount: settings.references, isGuided: settings.validationGuidance != 1)
    return TrainingMemory(
      model.parameters, precision: recipe.optimizer.precision, keepsAverages: settings.ema != nil,
      // Both videos of a pair go through the model before its gradients are known.
      work: settings.preference == nil ? work : 2 * work, stages: stages, program: program,
      budget: recipe.memoryBudget, addressSpace: BufferPool.shared.addressSpaceLeft)
  }

  /// What the report tells besides the run's identity; only names of folders, as reports are passed on.
  private func details(
    _ model: some TrainingModel, _ backbone: some TrainableBackbone, _ memory: TrainingMemory
  ) -> [RunDetail] {
    func name(_ path: String) -> String { URL(fileURLWithPath: path).lastPathComponent }
    let trained = model.trainedParameters.reduce(0) { $0 + $1.shape.count }
    let all = model.parameters.reduce(0) { $0 + $1.shape.count }
    return [
      RunDetail("model", name(clips.model)), RunDetail("data set", name(settings.clips.data ?? "")),
      RunDetail("parameters", "\(trained) of \(all) are trained"), RunDetail("steps", "\(settings.steps)"),
      RunDetail("objective", objective(backbone)), RunDetail("coupling", backbone.referenceSummary),
      RunDetail("save-every", "\(settings.saveEvery)"),
      RunDetail("keep", "\(settings.keep)" + (settings.keepBest ? ", and the best" : "")),
      RunDetail("memory, estimated", byteText(memory.peak)),
    ] + (settings.expert.map { [RunDetail("expert at the start", name($0))] } ?? [])
  }

  private func objective(_ backbone: some TrainableBackbone) -> String {
    guard settings.preference == nil else { return "preference of the better video of a pair (DPO)" }
    return backbone.scheduler.samplesFlows ? "flow matching" : "velocity of the diffusion"
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
