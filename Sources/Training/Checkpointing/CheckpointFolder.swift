import Checkpoints
import Foundation
import Layers
import Runtime
import Tensors

/// One finished checkpoint.
///
///     step-000100/
///       transformer/config.json, diffusion_pytorch_model.safetensors   as published pipelines have them, or vae/...
///       pytorch_lora_weights.safetensors                               if adapters are trained
///       optimizer.safetensors
///       average.safetensors                                            if the run keeps moving averages
///       manifest.json
package struct CheckpointFolder: Sendable, Equatable {
  static let optimizerFile = "optimizer.safetensors"
  static let averagesFile = "average.safetensors"

  package let path: String
  package let manifest: CheckpointManifest
  /// The folder of the weights: the pipeline's component that is trained.
  private let component: String

  /// Opens a folder that has a manifest; its files are checked by `verify`.
  init(path: String, component: String = "transformer") throws {
    self.path = path
    self.component = component
    manifest = try CheckpointManifest(directory: path)
  }

  /// Throws unless every file of the manifest is there with its checksum.
  package func verify() throws {
    for file in manifest.files {
      let path = "\(self.path)/\(file.name)"
      guard FileManager.default.fileExists(atPath: path) else {
        throw file.name == Self.optimizerFile
          ? CheckpointFailure.noOptimizer(path: self.path)
          : CheckpointFailure.missingFile(path: self.path, name: file.name)
      }
      guard try RegularFile(path: path).size == file.bytes, try ContentDigest(ofFile: path).description == file.sha256
      else {
        throw CheckpointFailure.damagedFile(path: self.path, name: file.name)
      }
    }
  }

  /// Reads what a run goes on from; tensors are views of the files until they are changed.
  package func load() throws -> TrainingSnapshot {
    let weights = try WeightStore(directory: "\(path)/\(component)")
    let optimizer = try SafetensorsReader(path: "\(path)/\(Self.optimizerFile)")
    var state = OptimizerState()
    for name in optimizer.names { state.tensors[name] = try optimizer.tensor(named: name) }
    for (key, value) in optimizer.metadata where key.hasPrefix(Self.updatesPrefix) {
      guard let count = Int(value) else {
        throw CheckpointFailure.optimizerTensor(path: path, name: key)
      }
      state.updates[String(key.dropFirst(Self.updatesPrefix.count))] = count
    }
    var averages: [String: Tensor]?
    if manifest.files.contains(where: { $0.name == Self.averagesFile }) {
      let reader = try SafetensorsReader(path: "\(path)/\(Self.averagesFile)")
      averages = Dictionary(uniqueKeysWithValues: try reader.names.map { ($0, try reader.tensor(named: $0)) })
    }
    return TrainingSnapshot(
      progress: manifest.progress, weights: try weights.names.map { ($0, try weights.tensor(named: $0)) },
      optimizer: state, averages: averages)
  }

  private static let updatesPrefix = "updates."

  /// Writes all files of a checkpoint into an empty folder, the manifest last.
  ///
  /// - Parameters:
  ///   - frozen: weights that are not trained but go into the checkpoint too.
  ///   - configuration: path of the component's `config.json`, copied as it is.
  ///   - adapters: what a file of trained adapters says of itself; nil if none are trained.
  static func write(
    _ snapshot: TrainingSnapshot, frozen: [(key: String, tensor: Tensor)], configuration: String, run: RunIdentity,
    logBytes: Int, adapters: AdapterExport? = nil, component: String, to directory: String
  ) throws {
    let weights = "\(directory)/\(component)"
    try Folder.make(weights)
    let config = try Data(contentsOf: URL(fileURLWithPath: configuration))
    try AtomicFile.write(config, to: "\(weights)/config.json")
    try WeightsFolder.write((snapshot.weights + frozen).map { ($0.key, $0.tensor) }, to: weights)
    if let adapters {
      try AdapterFile.write(snapshot.weights, adapters, to: "\(directory)/\(AdapterFile.publishedName)")
    }
    try SafetensorsWriter.write(
      snapshot.optimizer.tensors.map { ($0.key, $0.value) },
      metadata: Dictionary(
        uniqueKeysWithValues: snapshot.optimizer.updates.map { ("\(updatesPrefix)\($0.key)", "\($0.value)") }),
      to: "\(directory)/\(optimizerFile)")
    if let averages = snapshot.averages {
      try SafetensorsWriter.write(averages.map { ($0.key, $0.value) }, to: "\(directory)/\(averagesFile)")
    }
    let files = try names(in: directory).map { name in
      let path = "\(directory)/\(name)"
      return CheckpointManifest.File(
        name: name, bytes: try RegularFile(path: path).size, sha256: try ContentDigest(ofFile: path).description)
    }
    try CheckpointManifest(progress: snapshot.progress, run: run, logBytes: logBytes, files: files)
      .write(to: directory)
  }

  /// Paths of all files below a folder, relative to it, sorted.
  private static func names(in directory: String) throws -> [String] {
    let found = try FileManager.default.subpathsOfDirectory(atPath: directory)
    return found.filter { name in
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: "\(directory)/\(name)", isDirectory: &isFolder)
        && !isFolder.boolValue
    }.sorted()
  }
}
