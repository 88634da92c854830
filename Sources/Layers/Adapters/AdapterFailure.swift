import Compute
import Runtime

/// Adapters that cannot be used with a model.
package enum AdapterFailure: Failure, Equatable {
  /// A key that names no adapter's tensor in any known layout.
  case unknownKey(path: String, key: String)
  /// Only one of the two tensors of an adapter is there.
  case incomplete(path: String, target: String, missing: String)
  case shapes(path: String, target: String, down: Shape, up: Shape, inputs: Int, outputs: Int)
  /// Maps that the model does not have.
  case unknownTargets(path: String, [String])
  case metadata(path: String, problem: String)
  case empty(path: String)
  /// A tensor of an element type that is no weight's.
  case notAWeight(path: String, key: String)

  package var category: FailureCategory { .badInput }

  package var message: String {
    switch self {
    case .unknownKey(let path, let key):
      "\(printable(path)): '\(printable(key))' is no tensor of a LoRA file; keys end with lora_A.weight, lora_B.weight, "
        + "lora.down.weight, lora.up.weight or alpha"
    case .incomplete(let path, let target, let missing):
      "\(printable(path)): the LoRA of '\(printable(target))' lacks its \(missing)"
    case .shapes(let path, let target, let down, let up, let inputs, let outputs):
      "\(printable(path)): the LoRA of '\(printable(target))' has shapes \(down) and \(up); the model needs "
        + "[rank, \(inputs)] and [\(outputs), rank]"
    case .unknownTargets(let path, let targets):
      "\(printable(path)): the model has no linear maps for \(targets.count) LoRA targets: "
        + targets.prefix(5).map { printable($0) }.joined(separator: ", ") + (targets.count > 5 ? ", …" : "")
        + "; the file is of another model"
    case .metadata(let path, let problem): "\(printable(path)): the LoRA's metadata \(problem)"
    case .empty(let path): "\(printable(path)): holds no LoRA tensors"
    case .notAWeight(let path, let key):
      "\(printable(path)): '\(printable(key))' is not stored as float32, float16 or bfloat16"
    }
  }
}
