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

  /// Writes the directory and opens it once; throws if its parts do not fit each other, and then leaves nothing.
  ///
  /// Throws `BackboneFailure.output` before anything is written if a pipeline lies there already, or if the directory is,
  /// holds or lies in an input.
  ///
  /// - Returns: its size in bytes.
  @discardableResult
  package func write(to directory: String) throws -> Int {
    guard try BackboneKind(directory: model) == .cogVideoX else {
      throw BackboneFailure.component(
        path: model, problem: "is a Wan pipeline; `vap pack` makes CogVideoX pipelines only")
    }
    let source = try transformer.map { try ExpertFolder($0).path } ?? "\(model)/transformer"
    let copied = PipelineOutput.plain.map { (name: $0, path: "\(model)/\($0)") }
    let autoencoder = autoencoder ?? "\(model)/vae"
    let output = PipelineOutput(directory: directory)
    try output.check(apartFrom: [model, autoencoder, source] + [transformer].compactMap { $0 } + copied.map(\.path))
    for (_, path) in copied {
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
        throw BackboneFailure.component(path: path, problem: "is no folder; give --model a whole pipeline")
      }
    }
    let (vae, denoiser) = (try Part(autoencoder), try Part(source))
    return try output.write { temporary in
      for (name, path) in copied { try copy(path, to: "\(temporary)/\(name)") }
      let advice = "/\(PipelineAdvice.fileName)"
      if Folder.hasEntry(at: model + advice) { try copy(file: model + advice, to: temporary + advice) }
      try convert(vae, to: "\(temporary)/vae")
      try convert(denoiser, to: "\(temporary)/transformer", isPlain: !keepsExpert)
      let hasExpert = keepsExpert && denoiser.config.className?.contains("MOT") == true
      try AtomicFile.write(
        Data(PipelineIndex(hasExpert: hasExpert).contents.text.utf8), to: "\(temporary)/\(PipelineOutput.index)")
      try checkFit(temporary, for: directory)
      return try Self.byteCount(of: temporary)
    }
  }

  /// Configuration and weights of an autoencoder or a transformer.
  private struct Part {
    let path: String
    let config: ConfigFile
    let weights: WeightStore

    init(_ path: String) throws {
      self.path = path
      config = try ConfigFile(path: "\(path)/config.json")
      weights = try WeightStore(directory: path)
    }
  }

  /// Opens the finished pipeline where it was written; messages name the place that it was for.
  private func checkFit(_ temporary: String, for directory: String) throws {
    do {
      _ = try BackboneKind.cogVideoX.open(directory: temporary).components()
    } catch let failure as any Failure where failure.category == .badInput {
      throw BackboneFailure.component(
        path: directory,
        problem: "was not written, as its parts do not fit each other: "
          + failure.message.replacingOccurrences(of: temporary, with: directory))
    }
  }

  private static func byteCount(of directory: String) throws -> Int {
    try FileManager.default.subpathsOfDirectory(atPath: directory).reduce(0) { sum, name in
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
    try Interruption.check()
    try AtomicFile.write(MappedFile(path: source).withBytes { Data($0) }, to: target)
  }

  private func convert(_ part: Part, to target: String, isPlain: Bool = false) throws {
    try Folder.make(target)
    let names = part.weights.names.filter { !isPlain || !$0.contains(expertSuffix) }
    let tensors = try names.map { (name: $0, tensor: try stored($0, of: part)) }
    let text = isPlain ? try Self.withoutExpert(part.config) : part.config.contents.text
    try AtomicFile.write(Data(text.utf8), to: "\(target)/config.json")
    try WeightsFolder.write(tensors, to: target)
  }

  /// A weight in the type that is asked for; throws if numbers of it are too large for that.
  private func stored(_ name: String, of part: Part) throws -> Tensor {
    try Interruption.check()
    let tensor = try part.weights.tensor(named: name)
    let stored = tensor.stored(as: dtype)
    guard dtype == .float32 || stored.nonFiniteCount <= tensor.nonFiniteCount else {
      throw BackboneFailure.component(
        path: part.path,
        problem: "'\(printable(name))' has numbers that are too large for \(dtype.rawValue); store the weights with "
          + "--dtype " + (dtype == .float16 ? "bfloat16 or float32" : "float32"))
    }
    return stored
  }

  /// The configuration of the model that an expert was added to.
  private static func withoutExpert(_ config: ConfigFile) throws -> String {
    var plain = try config.decode(CogVideoXConfiguration.self)
    (plain.expertLayers, plain.coupling, plain.predictsReferences) = ([], .mixture, false)
    return config.text(changing: plain.plannedFields)
  }
}
