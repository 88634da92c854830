import ArgumentParser
import Compute
import Foundation
import Runtime
import Training

/// A checked training of one kind, ready to run.
protocol TrainingJob {
  var recipe: TrainRecipe { get }
  func run() throws
}

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train the expert of a Video-As-Prompt model on a VAP-Data manifest.",
    discussion: """
      Settings come from a YAML file; every key of the file can be given other values here, the common ones as options of \
      their own and all of them as --set key=value. Defaults are the published recipe's.

      A run has a folder of its own. The same command again goes on from its latest checkpoint, bit for bit as if it had \
      never stopped. Ctrl-C saves and stops; a second one stops at once.

      mpirun or srun starts it on several processors and machines, if it was built with `--traits MPI`: each process takes \
      'accumulation' samples of a step.

      Example: vap train configs/train-cogvideox-vap.yaml --model CogVideoX-VAP --data data/VAP-Data --output runs/first
      """)

  @Argument(help: "YAML file of settings.", completion: .file()) var config: String?

  @Option(help: "Directory of a published pipeline to start from.", completion: .directory) var model: String?
  @Option(help: "The manifest (vap_data.csv) or its folder.", completion: .file()) var data: String?
  @Option(help: "Folder of encoded clips, filled where something is missing (see vap encode).", completion: .directory)
  var cache: String?
  @Option(name: .shortAndLong, help: "Folder of the run.", completion: .directory) var output: String?
  @Option(help: "Steps of the whole run (default: 20000).") var steps: String?
  @Option(help: "Peak learning rate (default: 1e-5).") var learningRate: String?
  @Option(help: "Steps during which the learning rate rises (default: 1000).") var warmup: String?
  @Option(help: "Samples of one step (default: 1).") var accumulation: String?
  @Option(help: "float32, mixed (bfloat16 products, float32 originals) or bfloat16 (default: float32).")
  var precision: String?
  @Option(help: "Seed of all random numbers (default: 42).") var seed: String?
  @Option(help: "none, or reference: faults of the published training and its bfloat16 states (default: none).")
  var compatibility: String?
  @Option(help: "Steps between checkpoints (default: 1000).") var saveEvery: String?
  @Option(help: "Steps between validation clips (default: 100).") var validateEvery: String?
  @Option(help: "Threads to compute on; results do not depend on it.") var threads: String?
  @Option(help: "Memory to stay within, such as 64G; a run that needs more is refused (default: all).")
  var memory: String?
  @Flag(help: "Go on from a checkpoint even if settings or data have changed.") var force = false
  @Option(name: .customLong("set"), help: "Any key of the settings, as key=value.") var changes: [String] = []

  func run() throws {
    try RankedRun.run { ranks in
      let changes = try keyValues()
      let training = try ranks.together {
        let settings = try TrainSettings(file: config, changes: changes)
        return try SettingsFile.naming(config, except: Set(changes.map(\.key))) { try job(settings, ranks) }
      }
      try RoundedProduct.$isEnabled.withValue(training.recipe.roundsProducts) { try training.run() }
    }
  }

  private func job(_ settings: TrainSettings, _ ranks: any Collective) throws -> any TrainingJob {
    guard settings.miniature == nil || ranks.size == 1 else {
      throw UsageFailure("a training with 'miniature' is one process; start it without mpirun or srun")
    }
    switch (settings.component, settings.miniature) {
    case ("transformer", nil): return try TrainJob(settings, ranks)
    case ("transformer", let miniature?): return try MiniatureTrainJob(settings, miniature)
    case ("vae", let miniature?): return try AutoencoderTrainJob(settings, miniature)
    case ("vae", nil):
      throw UsageFailure("'component: vae' needs 'miniature': autoencoders are trained on its clips")
    default:
      throw UsageFailure("component", "must be transformer or vae, not '\(printable(settings.component))'")
    }
  }

  /// What the options change, in the words of the file.
  private func keyValues() throws(UsageFailure) -> [SettingsFile.Change] {
    let named = [
      ("model", model), ("data", data), ("cache", cache), ("output", output), ("steps", steps),
      ("learning-rate", learningRate), ("warmup", warmup), ("accumulation", accumulation), ("precision", precision),
      ("seed", seed), ("compatibility", compatibility), ("save-every", saveEvery), ("validate-every", validateEvery),
      ("threads", threads), ("memory", memory), ("force", force ? "true" : nil),
    ]
    var found = named.compactMap { name, value in value.map { SettingsFile.Change(name, $0, option: "--\(name)") } }
    for change in changes {
      let parts = change.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2 else { throw UsageFailure("--set takes key=value, not '\(printable(change))'") }
      let setting = SettingsFile.Change(parts[0], parts[1])
      guard TrainSettings.keys.contains(setting.parts[0]) else {
        throw UsageFailure(
          "--set has an unknown key \(SettingsFile.advice(on: setting.parts[0], known: TrainSettings.keys))")
      }
      found.append(setting)
    }
    return found
  }
}
