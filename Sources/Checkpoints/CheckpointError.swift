import Compute
import Runtime

/// Why a model's directory cannot be used.
package enum CheckpointError: Failure, Equatable {
  case noWeights(directory: String, lookedFor: [String])
  case onlyPickledWeights(directory: String, example: String)
  case invalidShardName(index: String, name: String)
  case missingShard(index: String, shard: String, tensor: String)
  case tensorInTwoShards(name: String, first: String, second: String)
  case tensorNotInShard(index: String, name: String, shard: String)
  case emptyIndex(path: String)
  case missingTensor(path: String, name: String)
  case shapeMismatch(path: String, name: String, expected: Shape, found: Shape)
  case notAWeight(path: String, name: String, type: DType)
  case notFinite(path: String, counts: [String: Int])

  package var category: FailureCategory { .badInput }

  package var message: String {
    switch self {
    case .noWeights(let directory, let names):
      return "\(directory): no weights found; expected one of \(names.joined(separator: ", "))"
    case .onlyPickledWeights(let directory, let example):
      return "\(directory): only PyTorch weights are here (\(printable(example))), which may run code when loaded; "
        + "convert them to safetensors"
    case .invalidShardName(let index, let name):
      return
        "\(index): weight_map names the shard '\(printable(name))'; shards must be plain names of .safetensors files "
        + "beside the index"
    case .missingShard(let index, let shard, let tensor):
      return "\(index): the shard \(printable(shard)), which holds '\(printable(tensor))', is missing; download it"
    case .tensorInTwoShards(let name, let first, let second):
      return "\(second): tensor '\(printable(name))' is also in \(first); the shards are not of one model"
    case .tensorNotInShard(let index, let name, let shard):
      return
        "\(index): tensor '\(printable(name))' is not in \(printable(shard)), where weight_map places it; the index "
        + "and the shards are not of one model"
    case .emptyIndex(let path):
      return "\(path): weight_map lists no tensors"
    case .missingTensor(let path, let name):
      return "\(path): there is no tensor '\(printable(name))'"
    case .shapeMismatch(let path, let name, let expected, let found):
      return "\(path): tensor '\(printable(name))' has shape \(found); the model configuration needs \(expected)"
    case .notAWeight(let path, let name, let type):
      return
        "\(path): tensor '\(printable(name))' has element type \(type.safetensorsName); a weight must be F32, BF16 or "
        + "F16"
    case .notFinite(let path, let counts):
      return "\(path): NaN or infinite values: "
        + Self.firstTen(counts.sorted { $0.key < $1.key }.map { "'\(printable($0.key))' (\($0.value))" })
    }
  }

  private static func firstTen(_ items: [String]) -> String {
    items.prefix(10).joined(separator: ", ") + (items.count > 10 ? ", … (\(items.count) in all)" : "")
  }
}
