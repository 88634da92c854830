import Checkpoints
import Foundation
import Layers
import Runtime
import VideoTransformers

/// What changes a pipeline's transformer: weights laid over its own, and adapters on its linear maps.
package struct TransformerAdditions: Sendable {
  /// Folder of a transformer's configuration and of those weights that differ from the pipeline's: an expert's, or all.
  package let expert: String?
  /// What that folder holds.
  let expertKeys: Set<String>
  package let adapters: [AdapterFile]
  /// What is trained, if anything is, and the seed that fresh values are drawn from.
  package var plan: TrainingPlan?
  package var seed: UInt64 = 42

  package init() { (expert, expertKeys, adapters) = (nil, [], []) }

  /// - Parameter expert: a folder with `config.json` and weights, or one whose folder `transformer` has them.
  package init(expert: String?, adapters: [AdapterFile]) throws {
    self.adapters = adapters
    guard let expert else {
      (self.expert, expertKeys) = (nil, [])
      return
    }
    let folder = try ExpertFolder(expert)
    (self.expert, expertKeys) = (folder.path, folder.keys)
  }

  /// The folder whose configuration the transformer of a pipeline has.
  func configurationFolder(_ directory: String) -> String { expert ?? "\(directory)/transformer" }

  /// The weights that the transformer of a pipeline has, or starts a training from.
  package func weights(_ directory: String) throws -> any ParameterSource {
    guard let plan else { return try stored(directory) }
    return try plan.weights(seed: seed) { try stored(directory) }
  }

  /// Tells the weights that a training starts from, from others, wherever they lie; of large files samples count.
  package func weightsDigest(_ directory: String) throws -> String {
    var parts: [String] = []
    for component in ["transformer", "vae", "text_encoder", "image_encoder"] {
      let folder = "\(directory)/\(component)"
      // Fresh weights depend on the seed alone.
      guard component != "transformer" || plan?.start != .random,
        FileManager.default.fileExists(atPath: folder)
      else { continue }
      parts += [component, try ContentDigest(samplingFilesIn: folder).description]
    }
    return ContentDigest(ofParts: try parts + digests()).description
  }

  /// Tells what lies over a pipeline's weights; empty if nothing does.
  package func digests() throws -> [String] {
    var parts: [String] = []
    if let expert { parts += ["expert", try ContentDigest(samplingFilesIn: expert).description] }
    for file in adapters { parts += ["adapters", try ContentDigest(ofFile: file.path).description, "\(file.scale)"] }
    return parts
  }

  /// The same without new adapters, which change nothing before they are trained: the model that a training starts from.
  package var atStart: TransformerAdditions {
    var copy = self
    if plan?.trained == .lora { copy.plan?.trained = .full }
    return copy
  }

  /// Adapters from files, and those that are trained.
  package var adapterSources: [any AdapterSource] { adapters + (plan?.adapterSources(seed: seed) ?? []) }

  /// Adapters from files, and the trained ones as they are among the weights of a model in training.
  func adapterSources(in weights: any ParameterSource) -> [any AdapterSource] {
    guard let plan, plan.trained == .lora else { return adapters }
    return adapters + [StoredAdapters(weights, scale: plan.adapters.scale)]
  }

  private func stored(_ directory: String) throws -> any ParameterSource {
    let own = try WeightStore(directory: "\(directory)/transformer")
    guard let expert else { return own }
    return LayeredSource(try WeightStore(directory: expert), over: own)
  }

  /// The configuration with the coupling and positions that adapters were trained with, where their files name them.
  func applied<Configuration: MixtureConfiguration>(to configuration: Configuration) throws -> Configuration {
    var configuration = configuration
    for file in adapters {
      func choice<Choice: RawRepresentable<String>>(_ name: String) throws -> Choice? {
        try file.notes[name].map { text in
          guard let choice = Choice(rawValue: text) else {
            throw AdapterFailure.metadata(path: file.path, problem: "has an unknown '\(name)': '\(printable(text))'")
          }
          return choice
        }
      }
      if let coupling: Coupling = try choice(AdapterNote.coupling) {
        guard coupling.hasExpert || !configuration.hasExpert else {
          throw AdapterFailure.metadata(
            path: file.path,
            problem: "says '\(coupling.rawValue)': it was trained without an expert; use it with a plain "
              + "image-to-video model")
        }
        configuration.coupling = coupling
      }
      configuration.positionDesign = try choice(AdapterNote.positionDesign) ?? configuration.positionDesign
    }
    guard let plan else { return configuration }
    do {
      return try plan.applied(to: configuration)
    } catch {
      throw PlanFailure(error)
    }
  }
}

/// What this program notes in a LoRA file, so that generation reads references as training did.
package enum AdapterNote {
  package static let coupling = "coupling"
  package static let positionDesign = "position-design"
}
