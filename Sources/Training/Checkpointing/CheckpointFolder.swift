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
///       average/                                                       if the run keeps moving averages: a folder as
///                                                                      above, and a LoRA file if adapters are trained
///       manifest.json
package struct CheckpointFolder: Sendable, Equatable {
  static let optimizerFile = "optimizer.safetensors"
  static let averages = "average"

  package let path: String
  package let manifest: CheckpointManifest
  /// The folder of the weights: the pipeline's component that is trained.
  private let component: String

  /// Opens a folder that has a manifest; its files are checked by `verify`.
  init(path: String, component: String = "transformer") throws {
    self.path = path
    self.component = component
    manifest = try CheckpointManifest(directory: path)
    let name = URL(fileURLWithPath: path).lastPathComponent
    if let step = CheckpointStore.step(ofName: name), step != manifest.progress.step {
      throw CheckpointFailure.manifest(
        path: path, problem: "its manifest is of step \(manifest.progress.step), not of the folder's")
    }
    let names = manifest.files.map(\.name)
    guard names.contains(Self.optimizerFile), names.contains(where: { $0.hasPrefix("\(component)/") }) else {
      throw CheckpointFailure.manifest(path: path, problem: "its manifest lists no optimizer's state or no weights")
    }
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
    if manifest.files.contains(where: { $0.name.hasPrefix("\(Self.averages)/") }) {
      let store = try WeightStore(directory: "\(path)/\(Self.averages)")
      averages = Dictionary(uniqueKeysWithValues: try store.names.map { ($0, try store.tensor(named: $0)) })
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
    let config = try MappedFile(path: configuration).withBytes { Data($0) }
    func write(_ trained: [(key: String, tensor: Tensor)], to name: String, adaptersTo place: String) throws {
      let folder = "\(directory)/\(name)"
      try Folder.make(folder)
      try AtomicFile.write(config, to: "\(folder)/config.json")
      try WeightsFolder.write((trained + frozen).map { ($0.key, $0.tensor) }, to: folder)
      if let adapters { try AdapterFile.write(trained, adapters, to: "\(place)/\(AdapterFile.publishedName)") }
    }
    try write(snapshot.weights, to: component, adaptersTo: directory)
    if let averages = snapshot.averages {
      let averaged = snapshot.weights.compactMap { key, _ in averages[key].map { (key: key, tensor: $0) } }
      try write(averaged, to: Self.averages, adaptersTo: "\(directory)/\(Self.averages)")
    }
    try SafetensorsWriter.write(
      snapshot.optimizer.tensors.map { ($0.key, $0.value) },
      metadata: Dictionary(
        uniqueKeysWithValues: snapshot.optimizer.updates.map { ("\(updatesPrefix)\($0.key)", "\($0.value)") }),
      to: "\(directory)/\(optimizerFile)")
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
    guard let found = FileManager.default.subpaths(atPath: directory) else {
      throw FileFailure(path: directory, action: "list its files", code: ENOENT)
    }
    return found.filter { name in
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: "\(directory)/\(name)", isDirectory: &isFolder)
        && !isFolder.boolValue
    }.sorted()
  }
}
