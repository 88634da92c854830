import Autoencoders
import Backbones
import Checkpoints
import Compute
import Datasets
import Foundation
import Layers
import Runtime
import Tensors
import Training

/// One run of `vap train` with `component: vae`: the autoencoder of a small CogVideoX pipeline, on the miniature world.
///
/// At its end the run's folder `vae` holds the autoencoder with the scaling factor of its latents.
struct AutoencoderTrainJob: TrainingJob {
  private let settings: TrainSettings
  private let miniature: MiniatureSettings
  private let folder: RunFolder
  private let backbone: CogVideoXBackbone
  let recipe: TrainRecipe

  /// Checks everything that can be checked before weights are looked at.
  init(_ settings: TrainSettings, _ miniature: MiniatureSettings) throws {
    folder = try settings.folder()
    recipe = try TrainRecipe(settings, usesManifest: false)
    backbone = try MiniatureTrainJob.openPipeline(settings)
    self.settings = settings
    self.miniature = miniature
    if let threads = settings.threads { Workers.threadCount = threads }
  }

  func run() throws {
    let printer = ProgressPrinter()
    defer { printer.finish() }
    let observer: RunObserver = { printer.show($0) }
    let config = backbone.autoencoder
    let weights: any ParameterSource =
      settings.plan.start == .random
      ? FreshSource(seed: settings.seed) : try WeightStore(directory: "\(backbone.directory)/vae")
    let stream = MiniatureStream(seed: settings.seed)
    let source = MiniaturePixels(stream, miniature.format)
    let trainer = try Trainer(
      CogVideoXAutoencoderTraining(weights, config), source: source, optimizer: recipe.optimizer,
      schedule: recipe.schedule, settings: recipe.steps, averageDecay: settings.ema)
    let configuration = "\(backbone.directory)/vae/config.json"
    let file = try ConfigFile(path: configuration)
    let start: String? =
      settings.plan.start == .random
      ? nil : try ContentDigest(samplingFilesIn: "\(backbone.directory)/vae").description
    let identity = RunIdentity(
      settings: recipe.identity(miniature.identity.merging(["component": "vae"]) { $1 }), data: source.digest,
      model: ContentDigest(ofParts: [file.contents.text]).description, weights: start)
    var run = try TrainingRun(
      trainer, in: folder, recipe.run, identity: identity, configuration: configuration, component: "vae")
    try run.resume(observer)
    var latest: AutoencoderQuality?
    try run.run(observer) { trainer in
      let quality = try measure(trainer.shownWeights, stream, step: trainer.progress.step)
      latest = quality
      observer(.note(quality.line))
      observer(.stage("train", units: 0))
      return ValidationRecord(step: quality.step, measured: quality.metrics)
    }
    let (parameters, shown) = (run.trainer.model.parameters, run.trainer.shownWeights)
    // A run that had ended before makes no step and measures nothing.
    let last = try latest ?? measure(shown, stream, step: run.trainer.progress.step)
    let trained = parameters.map { (name: $0.key, tensor: shown.tensor($0.key, $0.shape) ?? $0.tensor.detached) }
    try write(trained, file.contents.scaled(byInverseOf: last.latentDeviation))
    printer.finish()
    print(folder.autoencoder)
  }

  private func measure(
    _ weights: CurrentWeights, _ stream: MiniatureStream, step: Int
  ) throws -> AutoencoderQuality {
    try AutoencoderQuality(
      CogVideoXAutoencoderTraining(weights, backbone.autoencoder, isTrained: false), stream, miniature.format,
      scenes: miniature.scenes, step: step)
  }

  private func write(_ weights: [(name: String, tensor: Tensor)], _ configuration: JSONValue) throws {
    try WeightsFolder.write(weights, to: try folder.makeAutoencoderFolder())
    try AtomicFile.write(Data(configuration.text.utf8), to: "\(folder.autoencoder)/config.json")
  }
}

extension JSONValue {
  /// An autoencoder's configuration with the scaling factor that brings latents of this deviation to 1.
  fileprivate func scaled(byInverseOf deviation: Double) -> JSONValue {
    guard case .object(var members) = self else { return self }
    // As many digits as the measurement has.
    members["scaling_factor"] = .number(String(format: "%.4f", 1 / max(deviation, 1e-4)))
    return .object(members)
  }
}
