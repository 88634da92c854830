import Foundation
import Runtime
import Tensors

/// Writes weights into a component's folder as published checkpoints lie there.
package enum WeightsFolder {
  private static let stem = "diffusion_pytorch_model"
  /// Published files are at most this large.
  package static let usualShardBytes = 10_000_000_000

  /// Writes `diffusion_pytorch_model.safetensors`, or shards of at most `shardBytes` with their index.
  package static func write(
    _ tensors: [(name: String, tensor: Tensor)], to directory: String, shardBytes: Int = usualShardBytes
  ) throws {
    let shards = shards(tensors, shardBytes)
    guard shards.count > 1 else {
      try SafetensorsWriter.write(tensors, metadata: ["format": "pt"], to: "\(directory)/\(stem).safetensors")
      return
    }
    var places: [String: String] = [:]
    for (index, shard) in shards.enumerated() {
      let name = String(format: "%@-%05d-of-%05d.safetensors", stem, index + 1, shards.count)
      try SafetensorsWriter.write(shard, metadata: ["format": "pt"], to: "\(directory)/\(name)")
      for (key, _) in shard { places[key] = name }
    }
    let total = tensors.reduce(0) { $0 + $1.tensor.byteCount }
    let index = Index(metadata: .init(totalSize: total), weightMap: places)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(try encoder.encode(index), to: "\(directory)/\(stem).safetensors.index.json")
  }

  /// Fills one shard after the other, in the order of the names.
  private static func shards(
    _ tensors: [(name: String, tensor: Tensor)], _ limit: Int
  ) -> [[(name: String, tensor: Tensor)]] {
    var shards: [[(name: String, tensor: Tensor)]] = [[]]
    var size = 0
    for entry in tensors.sorted(by: { $0.name < $1.name }) {
      if size > 0, size + entry.tensor.byteCount > limit {
        shards.append([])
        size = 0
      }
      shards[shards.count - 1].append(entry)
      size += entry.tensor.byteCount
    }
    return shards
  }

  private struct Index: Encodable {
    struct Metadata: Encodable {
      let totalSize: Int

      enum CodingKeys: String, CodingKey { case totalSize = "total_size" }
    }

    let metadata: Metadata
    let weightMap: [String: String]

    enum CodingKeys: String, CodingKey {
      case metadata
      case weightMap = "weight_map"
    }
  }
}
