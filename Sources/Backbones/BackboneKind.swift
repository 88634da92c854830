import Checkpoints
import Foundation
import Runtime

/// The families of checkpoints that this program runs.
package enum BackboneKind: String, Sendable, CaseIterable {
  case cogVideoX = "CogVideoX"
  case wan = "Wan"

  /// Classes of published pipelines and of their transformers, with and without a Video-As-Prompt expert.
  private var classNames: [String] {
    ["ImageToVideoMOTPipeline", "ImageToVideoPipeline", "Transformer3DMOTModel", "Transformer3DModel"].map {
      rawValue + $0
    }
  }

  /// Reads the class of the pipeline in `directory`, or of its transformer where no `model_index.json` lies with it;
  /// throws if the two are of different families.
  package init(directory: String) throws {
    let transformerPath = "\(directory)/transformer/config.json"
    guard let index = try ConfigFile(ifPresentAt: "\(directory)/model_index.json") else {
      try Self.checkIsNoRun(directory)
      guard FileManager.default.fileExists(atPath: transformerPath) else {
        throw BackboneFailure.component(
          path: directory,
          problem: FileManager.default.fileExists(atPath: directory)
            ? "holds no model_index.json; give the folder of a pipeline, with transformer, vae, text_encoder and so on in it"
            : "does not exist; give the folder of a pipeline")
      }
      self = try Self.named(by: ConfigFile(path: transformerPath))
      return
    }
    self = try Self.named(by: index)
    guard let name = try ConfigFile(ifPresentAt: transformerPath)?.className, let other = Self.named(name),
      other != self
    else { return }
    throw BackboneFailure.component(
      path: transformerPath,
      problem: "is of a \(other.rawValue) model ('\(printable(name))'), but model_index.json names a \(rawValue) "
        + "pipeline; put the transformer that belongs to it there")
  }

  /// Throws for what a training leaves, which is no pipeline though its checkpoints have a folder `transformer`.
  private static func checkIsNoRun(_ directory: String) throws(BackboneFailure) {
    func holds(_ names: String...) -> Bool {
      names.allSatisfy { FileManager.default.fileExists(atPath: "\(directory)/\($0)") }
    }
    let use =
      "give the pipeline that was trained, with it as --expert (or its LoRA file as --lora), or make a pipeline of both "
      + "with `vap pack`"
    if holds("manifest.json", "optimizer.safetensors") {
      throw .component(path: directory, problem: "is a checkpoint of a training, not a pipeline; \(use)")
    }
    if holds("checkpoints", "log.jsonl") {
      throw .component(
        path: directory,
        problem: "is the folder of a training, not a pipeline; its checkpoints are in 'checkpoints': \(use)")
    }
  }

  private static func named(_ name: String) -> BackboneKind? { allCases.first { $0.classNames.contains(name) } }

  private static func named(by file: ConfigFile) throws(BackboneFailure) -> BackboneKind {
    let name = file.className ?? ""
    guard let kind = named(name) else { throw .unsupportedPipeline(path: file.path, name: name) }
    return kind
  }

  /// Reads the configurations of the pipeline in `directory`.
  ///
  /// - Parameter additions: to its transformer; of the same kind.
  package func open(
    directory: String, additions: TransformerAdditions = TransformerAdditions()
  ) throws -> any VideoPromptBackbone {
    if let expert = additions.expert {
      let file = try ConfigFile(path: "\(expert)/config.json")
      guard file.className.map(classNames.contains) ?? true else {
        throw BackboneFailure.component(
          path: file.path, problem: "is of class '\(printable(file.className ?? ""))', which does not fit this pipeline"
        )
      }
    }
    switch self {
    case .cogVideoX: return try CogVideoXBackbone(directory: directory, additions: additions)
    case .wan: return try WanBackbone(directory: directory, additions: additions)
    }
  }

  /// The pipeline classes of all kinds, for messages.
  static var pipelineNames: String {
    allCases.flatMap(\.classNames).filter { $0.hasSuffix("Pipeline") }.joined(separator: ", ")
  }
}
