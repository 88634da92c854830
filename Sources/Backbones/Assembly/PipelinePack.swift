import Checkpoints
import Compute
import Foundation
import Runtime
import Tensors
import VideoTransformers

/// A CogVideoX pipeline with trained components in place of its own, as one directory in the published layout.
package struct PipelinePack: Sendable {
  /// The pipeline that gives everything else.
  package var model: String
  /// Folders with `config.json` and weights; nil keeps the pipeline's own.
  package var autoencoder: String?
  package var transformer: String?
  /// How the weights of autoencoder and transformer are stored.
  package var dtype = DType.float16
  /// Whether the transformer keeps its expert, if it has one.
  package var keepsExpert = true

  package init(model: String) { self.model = model }

  /// Writes the directory and opens it once; throws if its parts do not fit each other.
  ///
  /// - Returns: its size in bytes.
  @discardableResult
  package func write(to directory: String) throws -> Int {
    guard try BackboneKind(directory: model) == .cogVideoX else {
      throw BackboneFailure.unsupportedPipeline(path: model, name: "no CogVideoX pipeline")
    }
    for component in ["scheduler", "tokenizer", "text_encoder"] {
      try copy("\(model)/\(component)", to: "\(directory)/\(component)")
    }
    let advice = "/\(PipelineAdvice.fileName)"
    if FileManager.default.fileExists(atPath: model + advice) { try copy(file: model + advice, to: directory + advice) }
    try convert(autoencoder ?? "\(model)/vae", to: "\(directory)/vae")
    let source = try transformer.map { try ExpertFolder($0).path } ?? "\(model)/transformer"
    let config = try convert(
      source, to: "\(directory)/transformer", isPlain: !keepsExpert)
    let hasExpert = keepsExpert && config.className?.contains("MOT") == true
    try AtomicFile.write(
      Data(PipelineIndex(hasExpert: hasExpert).contents.text.utf8), to: "\(directory)/model_index.json")
    _ = try BackboneKind.cogVideoX.open(directory: directory).components()
    return try FileManager.default.subpathsOfDirectory(atPath: directory).reduce(0) { sum, name in
      var isFolder: ObjCBool = false
      let path = "\(directory)/\(name)"
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else {
        return sum
      }
      return sum + (try RegularFile(path: path).size)
    }
  }

  private func copy(_ source: String, to target: String) throws {
    try Folder.make(target)
    for name in try FileManager.default.contentsOfDirectory(atPath: source).sorted() {
      try copy(file: "\(source)/\(name)", to: "\(target)/\(name)")
    }
  }

  private func copy(file source: String, to target: String) throws {
    try AtomicFile.write(MappedFile(path: source).withBytes { Data($0) }, to: target)
  }

  @discardableResult
  private func convert(_ source: String, to target: String, isPlain: Bool = false) throws -> ConfigFile {
    try Folder.make(target)
    let config = try ConfigFile(path: "\(source)/config.json")
    let weights = try WeightStore(directory: source)
    let names = weights.names.filter { !isPlain || !$0.contains(expertSuffix) }
    let tensors = try names.map { (name: $0, tensor: try weights.tensor(named: $0).stored(as: dtype)) }
    let text = isPlain ? try Self.withoutExpert(config) : config.contents.text
    try AtomicFile.write(Data(text.utf8), to: "\(target)/config.json")
    try WeightsFolder.write(tensors, to: target)
    return config
  }

  /// The configuration of the model that an expert was added to.
  private static func withoutExpert(_ config: ConfigFile) throws -> String {
    var plain = try config.decode(CogVideoXConfiguration.self)
    (plain.expertLayers, plain.coupling, plain.predictsReferences) = ([], .mixture, false)
    return config.text(changing: plain.plannedFields)
  }
}
