import Compute
import Layers
import Tensors

/// A rule by which parameters follow their gradients.
package protocol Optimizer: Sendable {
  /// How weights and state are stored.
  var precision: Precision { get }

  /// Stores parameters as the precision asks; call once before the first update.
  mutating func prepare(_ parameters: [Parameter])

  /// Updates a parameter with its gradient times `gradientScale`.
  ///
  /// A parameter that gets no call is left alone: neither its state nor its decay advance.
  mutating func update(_ parameter: Parameter, gradient: Tensor, gradientScale: Float, learningRate: Double)

  /// As above for many parameters, each with its gradient.
  mutating func update(
    _ pairs: [(parameter: Parameter, gradient: Tensor)], gradientScale: Float, learningRate: Double)

  /// What the rule remembers, for a checkpoint; empty before the first update.
  var state: OptimizerState { get }
  /// Goes on from a saved state; throws `CheckpointFailure` if it does not fit the parameters.
  mutating func restore(_ state: OptimizerState, for parameters: [Parameter], path: String) throws
}

extension Optimizer {
  package mutating func update(
    _ pairs: [(parameter: Parameter, gradient: Tensor)], gradientScale: Float, learningRate: Double
  ) {
    for (parameter, gradient) in pairs {
      update(parameter, gradient: gradient, gradientScale: gradientScale, learningRate: learningRate)
    }
  }
}

/// What an optimizer remembers, as named tensors and the number of updates of each parameter.
///
/// A tensor is named by its part in the rule and its parameter's key, "first.transformer_blocks.0…", so that it can be told
/// whose it is.
package struct OptimizerState: Sendable {
  package var tensors: [String: Tensor]
  package var updates: [String: Int]

  package init(tensors: [String: Tensor] = [:], updates: [String: Int] = [:]) {
    self.tensors = tensors
    self.updates = updates
  }

  /// The key of the parameter that a tensor of this name belongs to.
  static func parameterKey(of name: String) -> String { String(name.drop { $0 != "." }.dropFirst()) }
}

/// How weights that are trained, and the optimizer's state, are stored. Arithmetic is always in float32.
package enum Precision: String, Sendable, CaseIterable {
  /// Everything in float32.
  case float32
  /// The model computes with weights in bfloat16; the optimizer keeps float32 originals of them.
  case mixed
  /// Weights and state in bfloat16, as published: small updates are lost to rounding.
  case bfloat16

  /// How the model's own weights are stored.
  package var weights: DType { self == .float32 ? .float32 : .bfloat16 }
}
