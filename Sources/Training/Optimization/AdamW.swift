import Compute
import Foundation
import Layers
import Tensors

/// Adam with decoupled weight decay (Loshchilov & Hutter 2019), as PyTorch computes it in float32.
package struct AdamW: Optimizer {
  package struct Settings: Sendable, Equatable {
    /// Decay rate of the first moment.
    package var firstBeta: Double
    /// Decay rate of the second moment.
    package var secondBeta: Double
    package var epsilon: Double
    /// Share of a parameter that an update of learning rate 1 takes away.
    package var weightDecay: Double

    /// The published recipe's values by default.
    package init(
      firstBeta: Double = 0.9, secondBeta: Double = 0.99, epsilon: Double = 1e-8, weightDecay: Double = 1e-4
    ) {
      self.firstBeta = firstBeta
      self.secondBeta = secondBeta
      self.epsilon = epsilon
      self.weightDecay = weightDecay
    }
  }

  package let settings: Settings
  package let precision: Precision
  /// By the parameters' keys.
  private var moments: [String: Moments] = [:]

  package init(_ settings: Settings = Settings(), precision: Precision = .float32) {
    self.settings = settings
    self.precision = precision
  }

  package mutating func prepare(_ parameters: [Parameter]) {
    for parameter in parameters {
      if precision == .mixed { moments[parameter.key] = Moments(of: parameter, precision) }
      parameter.update(to: parameter.tensor.detached.stored(as: precision.weights))
    }
  }

  package mutating func update(
    _ parameter: Parameter, gradient: Tensor, gradientScale: Float, learningRate: Double
  ) {
    precondition(
      gradient.shape == parameter.shape, "gradient \(gradient.shape) of '\(parameter.key)' \(parameter.shape)")
    // Taken out, so that its tensors have one owner and can be changed in place.
    var own = moments.removeValue(forKey: parameter.key) ?? Moments(of: parameter, precision)
    own.updates += 1
    let factors = factors(updates: own.updates, gradientScale: gradientScale, learningRate: learningRate)
    parameter.modify { own.update(&$0, gradient, factors) }
    moments[parameter.key] = own
  }

  private func factors(updates: Int, gradientScale: Float, learningRate: Double) -> AdamWKernel.Factors {
    AdamWKernel.Factors(
      gradientScale: gradientScale, firstBeta: Float(settings.firstBeta), secondBeta: Float(settings.secondBeta),
      kept: Float(1 - learningRate * settings.weightDecay),
      stepSize: Float(learningRate / (1 - pow(settings.firstBeta, Double(updates)))),
      rootScale: Float(1 / (1 - pow(settings.secondBeta, Double(updates))).squareRoot()),
      epsilon: Float(settings.epsilon))
  }

  package var state: OptimizerState {
    var state = OptimizerState()
    for (key, own) in moments {
      state.updates[key] = own.updates
      state.tensors["first.\(key)"] = own.first
      state.tensors["second.\(key)"] = own.second
      if let original = own.original { state.tensors["original.\(key)"] = original }
    }
    return state
  }

  package mutating func restore(
    _ state: OptimizerState, for parameters: [Parameter], path: String
  ) throws {
    var unused = Set(state.tensors.keys)
    moments = [:]
    for parameter in parameters {
      guard let updates = state.updates[parameter.key] else { continue }
      func tensor(_ prefix: String) throws -> Tensor {
        let name = "\(prefix).\(parameter.key)"
        let dtype: DType = precision == .bfloat16 ? .bfloat16 : .float32
        guard let tensor = state.tensors[name], tensor.shape == parameter.shape, tensor.dtype == dtype, updates >= 0
        else { throw CheckpointFailure.optimizerTensor(path: path, name: name) }
        unused.remove(name)
        return tensor
      }
      moments[parameter.key] = Moments(
        updates: updates, first: try tensor("first"), second: try tensor("second"),
        original: precision == .mixed ? try tensor("original") : nil)
    }
    if let name = unused.min() { throw CheckpointFailure.optimizerTensor(path: path, name: name) }
  }
}

/// What AdamW remembers of one parameter.
private struct Moments: Sendable {
  var updates: Int
  var first: Tensor
  var second: Tensor
  /// The parameter in float32, where the model has it in bfloat16.
  var original: Tensor?

  init(updates: Int, first: Tensor, second: Tensor, original: Tensor?) {
    self.updates = updates
    self.first = first
    self.second = second
    self.original = original
  }

  init(of parameter: Parameter, _ precision: Precision) {
    let zeros = Tensor.zeros(parameter.shape).stored(as: precision == .bfloat16 ? .bfloat16 : .float32)
    self.init(
      updates: 0, first: zeros, second: zeros,
      original: precision == .mixed ? parameter.tensor.detached.dense() : nil)
  }

  mutating func update(_ parameter: inout Tensor, _ gradient: Tensor, _ factors: AdamWKernel.Factors) {
    if var original = original.take() {
      Self.update(&original, &first, &second, rounded: &parameter, gradient, factors)
      self.original = original
    } else if first.dtype == .bfloat16 {
      Self.update(bfloat16: &parameter, &first, &second, gradient, factors)
    } else {
      Self.update(&parameter, &first, &second, gradient, factors)
    }
  }

  private static func update(
    _ parameter: inout Tensor, _ first: inout Tensor, _ second: inout Tensor, _ gradient: Tensor,
    _ factors: AdamWKernel.Factors
  ) {
    parameter.withMutableFloats { parameter in
      first.withMutableFloats { first in
        second.withMutableFloats { second in
          gradient.withFloats {
            AdamWKernel.apply(
              parameter, first: first, second: second, gradient: $0, count: gradient.count, factors)
          }
        }
      }
    }
  }

  private static func update(
    _ original: inout Tensor, _ first: inout Tensor, _ second: inout Tensor, rounded: inout Tensor,
    _ gradient: Tensor, _ factors: AdamWKernel.Factors
  ) {
    rounded.withMutableBytes { rounded in
      original.withMutableFloats { original in
        first.withMutableFloats { first in
          second.withMutableFloats { second in
            gradient.withFloats {
              AdamWKernel.apply(
                original, first: first, second: second, gradient: $0, count: gradient.count, factors,
                rounded: rounded.assumingMemoryBound(to: UInt16.self))
            }
          }
        }
      }
    }
  }

  private static func update(
    bfloat16 parameter: inout Tensor, _ first: inout Tensor, _ second: inout Tensor, _ gradient: Tensor,
    _ factors: AdamWKernel.Factors
  ) {
    parameter.withMutableBytes { parameter in
      first.withMutableBytes { first in
        second.withMutableBytes { second in
          gradient.withFloats {
            AdamWKernel.apply(
              bfloat16: parameter.assumingMemoryBound(to: UInt16.self),
              first: first.assumingMemoryBound(to: UInt16.self), second: second.assumingMemoryBound(to: UInt16.self),
              gradient: $0, count: gradient.count, factors)
          }
        }
      }
    }
  }
}
