import Checkpoints
import Foundation
import Layers
import Runtime

/// A folder with the configuration of a transformer, and with those of its weights that differ from a pipeline's.
struct ExpertFolder {
  let path: String
  /// Names of all its tensors.
  let keys: Set<String>

  /// - Parameter folder: with `config.json` and weights, or one whose folder `transformer` has them.
  ///
  /// Throws unless weights of a transformer lie there, as adapters are no expert.
  init(_ folder: String) throws {
    let places = [folder, "\(folder)/transformer"]
    if let checkpoint = Self.newestCheckpoint(ofRun: folder) {
      throw BackboneFailure.component(
        path: folder, problem: "is the folder of a training; give one of its checkpoints, such as \(checkpoint)")
    }
    guard let path = places.first(where: { FileManager.default.fileExists(atPath: "\($0)/config.json") }) else {
      throw BackboneFailure.component(
        path: folder,
        problem: FileManager.default.fileExists(atPath: folder)
          ? "has no config.json, nor has its folder 'transformer'; give the folder of a trained expert"
          : "does not exist; give the folder of a trained expert")
    }
    self.path = path
    keys = Set(try WeightStore(directory: path).names)
    guard !keys.contains(where: AdapterKeys.contain) else {
      throw BackboneFailure.component(
        path: folder,
        problem: "holds LoRA adapters, not an expert; `vap generate` and `vap eval` take its file "
          + "\(AdapterFile.publishedName) with --lora, and only the run that wrote it trains on")
    }
  }

  /// Nil for what is no run.
  private static func newestCheckpoint(ofRun folder: String) -> String? {
    let place = "\(folder)/checkpoints"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
    return names.filter { $0.hasPrefix("step-") }.max().map { "\(place)/\($0)" }
  }
}

extension TransformerAdditions {
  /// Whether this is a weight of the pipeline's own expert, in whose place another is laid over it.
  func isReplaced(_ key: String) -> Bool {
    expert != nil && TrainingPlan.isOfExpert(key) && !expertKeys.contains(key)
  }

  /// Throws if the model reads nothing of what was laid over it.
  ///
  /// - Parameter unused: names that no layer asked for.
  func checkExpert(unused: [String]) throws(BackboneFailure) {
    guard let expert, expertKeys.isSubset(of: unused) else { return }
    throw .component(
      path: expert,
      problem: "the model uses none of its \(expertKeys.count) tensors; give the folder of an expert that was trained "
        + "on this model")
  }
}
