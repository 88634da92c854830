import Backbones
import Checkpoints
import Compute
import Layers
import Tensors
import Training

/// Compares the gradients and updates of a model in training with recorded ones, under the names of its parameters.
struct TrainingComparison {
  let parameters: [Parameter]
  let tensors: GoldenTensors
  /// Whether published training finds zeros where this model finds no gradient.
  let isUnread: (String) -> Bool
  let tolerance: Tolerance

  init(_ model: some TrainingModel, _ tensors: GoldenTensors, _ tolerance: Tolerance) {
    parameters = model.trainedParameters
    self.tensors = tensors
    isUnread = model.isUnread
    self.tolerance = tolerance
  }

  /// - Parameters:
  ///   - norms: length of every gradient that was recorded, by parameter.
  ///   - without: parameters that were recorded to have none.
  ///   - prefix: of the names of whole gradients.
  ///   - scale: factor of whole gradients as they were recorded.
  func compareGradients(
    _ found: GradientStore, norms: [String: JSONValue], without: [String], prefix: String,
    scale: Float = 1, _ comparison: inout Comparison
  ) throws {
    for parameter in parameters {
      let key = parameter.key
      guard let gradient = found[parameter.tensor] else {
        if let norm = norms[key]?.double, !(isUnread(key) && norm == 0) {
          comparison.fail("\(prefix)\(key)", "was not found, recorded norm \(norm)")
        }
        continue
      }
      if without.contains(key) { comparison.fail("\(prefix)\(key)", "exists, recorded none") }
      if let norm = norms[key]?.double {
        comparison.compare("norm of \(prefix)\(key)", [gradient.squaredNorm().squareRoot()], [norm], tolerance)
      }
      if let expected = try tensors.optional("\(prefix)\(key)") {
        comparison.compare("\(prefix)\(key)", gradient.scaled(by: scale), expected, tolerance)
      }
    }
  }

  /// Parameters without a gradient neither move nor decay.
  func compareUntouched(_ keys: [String], _ start: [String: Tensor], _ comparison: inout Comparison) {
    for parameter in parameters where keys.contains(parameter.key) {
      guard let before = start[parameter.key] else { continue }
      comparison.compare("untouched.\(parameter.key)", parameter.tensor, before, .exact)
    }
  }

  /// The values that parameters have now.
  var values: [String: Tensor] { Dictionary(uniqueKeysWithValues: parameters.map { ($0.key, $0.tensor.detached) }) }
}

extension AdamW {
  /// The optimizer that a golden case describes, with its learning rate.
  static func recorded(_ settings: JSONValue?, _ golden: GoldenCase) throws -> (optimizer: AdamW, learningRate: Double)
  {
    guard let rate = settings?["lr"]?.double, let epsilon = settings?["eps"]?.double,
      let decay = settings?["weight_decay"]?.double, let betas = settings?["betas"]?.doubles, betas.count == 2
    else { throw golden.failure("does not describe its optimizer") }
    return (
      AdamW(.init(firstBeta: betas[0], secondBeta: betas[1], epsilon: epsilon, weightDecay: decay)), rate
    )
  }
}
