import Compute
import Foundation
import Runtime
import Tensors

/// The weights of one model: a file, or several safetensors files listed by an index.
///
/// All files are opened and checked at once, so a model that is incomplete on disk is refused before work begins;
/// elements are read when touched.
package struct WeightStore: Sendable {
  /// The directory or file that was opened, for messages.
  package let path: String
  private let shards: [any TensorFile]
  private let shardOfTensor: [String: Int]

  /// Opens the weights in a component's directory, such as `checkpoint/transformer`.
  ///
  /// Tries the names that published checkpoints use, plain ones first. Where both a single file and an index exist the
  /// choice is that of the library which publishes under the name.
  package init(directory: String) throws {
    let candidates = Self.candidateNames
    guard let name = candidates.first(where: { FileManager.default.fileExists(atPath: "\(directory)/\($0)") }) else {
      throw Self.missingWeights(in: directory)
    }
    if name.hasSuffix(".json") {
      try self.init(index: "\(directory)/\(name)", directory: directory)
    } else {
      try self.init(path: directory, shards: [SafetensorsReader(path: "\(directory)/\(name)")])
    }
  }

  /// Opens a single safetensors file.
  package init(file: String) throws {
    try self.init(path: file, shards: [SafetensorsReader(path: file)])
  }

  /// Opens a single file of weights in whichever format users have it: safetensors, or PyTorch's own.
  ///
  /// Throws `SafetensorsError`, `PyTorchError` or `FileFailure`.
  package init(anyFile file: String) throws {
    let mapped = try MappedFile(path: file)
    let format = mapped.withBytes { ForeignFormat($0) }
    let isPyTorch = format == .zip || format == .pickle
    try self.init(path: file, shards: [isPyTorch ? PyTorchReader(path: file) : SafetensorsReader(path: file)])
  }

  private init(path: String, shards: [any TensorFile]) throws(CheckpointError) {
    var shardOfTensor: [String: Int] = [:]
    for (index, shard) in shards.enumerated() {
      for name in shard.names {
        if let other = shardOfTensor.updateValue(index, forKey: name) {
          throw .tensorInTwoShards(name: name, first: shards[other].path, second: shard.path)
        }
      }
    }
    self.path = path
    self.shards = shards
    self.shardOfTensor = shardOfTensor
  }
}

// MARK: - Finding files

extension WeightStore {
  private struct Index: Decodable {
    let weightMap: [String: String]

    private enum CodingKeys: String, CodingKey { case weightMap = "weight_map" }
  }

  private static let candidateNames = ["", ".bf16", ".fp16"].flatMap { variant in
    [
      "diffusion_pytorch_model.safetensors.index\(variant).json", "diffusion_pytorch_model\(variant).safetensors",
      "model\(variant).safetensors", "model.safetensors.index\(variant).json",
    ]
  }

  private init(index: String, directory: String) throws {
    let weightMap = try ConfigFile(path: index, maximumByteCount: 64 << 20).decode(Index.self).weightMap
    guard !weightMap.isEmpty else { throw CheckpointError.emptyIndex(path: index) }
    var shards: [SafetensorsReader] = []
    for (shard, entries) in Dictionary(grouping: weightMap, by: \.value).sorted(by: { $0.key < $1.key }) {
      // A link from here to a file elsewhere is how download caches work; a path in the index is not.
      guard shard.hasSuffix(".safetensors"), !shard.contains("/"), !shard.contains("\0") else {
        throw CheckpointError.invalidShardName(index: index, name: shard)
      }
      do {
        shards.append(try SafetensorsReader(path: "\(directory)/\(shard)"))
      } catch let failure as FileFailure where failure.code == ENOENT {
        throw CheckpointError.missingShard(index: index, shard: shard, tensor: entries.map(\.key).min() ?? "")
      }
    }
    try self.init(path: directory, shards: shards)
    for (name, shard) in weightMap.sorted(by: { $0.key < $1.key }) {
      guard let place = shardOfTensor[name], shards[place].path == "\(directory)/\(shard)" else {
        throw CheckpointError.tensorNotInShard(index: index, name: name, shard: shard)
      }
    }
  }

  private static func missingWeights(in directory: String) -> any Error {
    let found: [String]
    do {
      found = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
    } catch {
      return FileFailure(path: directory, action: "find the model's weights here", code: ENOENT)
    }
    let pickled = found.first { name in [".bin", ".pth", ".pt", ".ckpt"].contains { name.hasSuffix($0) } }
    if let pickled { return CheckpointError.onlyPickledWeights(directory: directory, example: pickled) }
    return CheckpointError.noWeights(directory: directory, lookedFor: Array(candidateNames.prefix(4)))
  }
}

// MARK: - Looking up

extension WeightStore {
  /// Names of all tensors, sorted.
  package var names: [String] { shardOfTensor.keys.sorted() }

  package func contains(_ name: String) -> Bool { shardOfTensor[name] != nil }

  /// Shape of a tensor, without touching its data; nil if there is no such tensor.
  package func shape(of name: String) -> Shape? { shardOfTensor[name].flatMap { shards[$0].shape(of: name) } }

  /// Element type of a tensor, without touching its data; nil if there is no such tensor.
  package func dtype(of name: String) -> DType? { shardOfTensor[name].flatMap { shards[$0].dtype(of: name) } }

  /// A tensor of any type and shape as a view of its file.
  package func tensor(named name: String) throws -> Tensor {
    guard let shard = shardOfTensor[name] else { throw CheckpointError.missingTensor(path: path, name: name) }
    return try shards[shard].tensor(named: name)
  }

  /// A weight of the shape that the model's configuration asks for, as a view of its file.
  package func weight(named name: String, shape: Shape) throws -> Tensor {
    let tensor = try self.tensor(named: name)
    let path = shardOfTensor[name].map { shards[$0].path } ?? self.path
    guard tensor.shape == shape else {
      throw CheckpointError.shapeMismatch(path: path, name: name, expected: shape, found: tensor.shape)
    }
    guard tensor.dtype.isWeight else {
      throw CheckpointError.notAWeight(path: path, name: name, type: tensor.dtype)
    }
    return tensor
  }

  /// Throws if one of the files was truncated or rewritten since it was opened.
  package func checkUnchanged() throws(FileFailure) {
    for shard in shards { try shard.checkUnchanged() }
  }
}

// MARK: - Values

extension WeightStore {
  /// Throws `CheckpointError.notFinite` if any of the tensors, all by default, holds NaN or infinity.
  ///
  /// Reads every element, so the price is one pass over the files.
  package func checkFinite(_ names: [String]? = nil) throws {
    var counts: [String: Int] = [:]
    for name in names ?? self.names {
      let tensor = try self.tensor(named: name)
      let count = tensor.nonFiniteCount
      if count > 0 { counts[name] = count }
      tensor.storage.advise(.notNeeded)
    }
    guard counts.isEmpty else { throw CheckpointError.notFinite(path: path, counts: counts) }
  }
}
