import Compute
import Foundation
import Layers
import Tensors

/// Adam with decoupled weight decay (Loshchilov & Hutter 2019), as PyTorch computes it in float32.
///
/// A parameter without a gradient is left alone: neither its moments nor its decay advance.
package struct AdamW: Sendable {
  package struct Settings: Sendable, Equatable {
    package var learningRate: Double
    /// Decay rate of the first moment.
    package var firstBeta: Double
    /// Decay rate of the second moment.
    package var secondBeta: Double
    package var epsilon: Double
    /// Share of a parameter that an update of learning rate 1 takes away.
    package var weightDecay: Double

    /// The published recipe's values by default.
    package init(
      learningRate: Double = 1e-5, firstBeta: Double = 0.9, secondBeta: Double = 0.99, epsilon: Double = 1e-8,
      weightDecay: Double = 1e-4
    ) {
      self.learningRate = learningRate
      self.firstBeta = firstBeta
      self.secondBeta = secondBeta
      self.epsilon = epsilon
      self.weightDecay = weightDecay
    }
  }

  /// What the optimizer remembers of one parameter.
  package struct Moments: Sendable {
    package let updates: Int
    package let first: Tensor
    package let second: Tensor

    package init(updates: Int, first: Tensor, second: Tensor) {
      self.updates = updates
      self.first = first
      self.second = second
    }
  }

  package var settings: Settings
  /// By the parameters' keys.
  package private(set) var moments: [String: Moments]

  package init(_ settings: Settings, moments: [String: Moments] = [:]) {
    self.settings = settings
    self.moments = moments
  }

  /// Updates a parameter with its gradient times `gradientScale`.
  package mutating func update(_ parameter: Parameter, gradient: Tensor, gradientScale: Float = 1) {
    let value = parameter.tensor.detached
    precondition(gradient.shape == value.shape, "gradient \(gradient.shape) of '\(parameter.key)' \(value.shape)")
    let old = moments[parameter.key]
    let updates = (old?.updates ?? 0) + 1
    let (beta1, beta2) = (settings.firstBeta, settings.secondBeta)
    let gradient = gradientScale == 1 ? gradient : gradient.scaled(by: gradientScale)
    let squares = gradient * gradient
    let first =
      old.map { Tensor.combined($0.first, Float(beta1), gradient, Float(1 - beta1)) }
      ?? gradient.scaled(by: Float(1 - beta1))
    let second =
      old.map { Tensor.combined($0.second, Float(beta2), squares, Float(1 - beta2)) }
      ?? squares.scaled(by: Float(1 - beta2))
    moments[parameter.key] = Moments(updates: updates, first: first, second: second)
    let firstCorrection = 1 - pow(beta1, Double(updates))
    let secondCorrection = (1 - pow(beta2, Double(updates))).squareRoot()
    let direction = first.divided(
      byRootOf: second, rootScale: Float(1 / secondCorrection), adding: Float(settings.epsilon))
    parameter.update(
      to: .combined(
        value, Float(1 - settings.learningRate * settings.weightDecay),
        direction, Float(-settings.learningRate / firstCorrection)))
  }
}

/// The length of all gradients together, in float64.
package func globalNorm(of gradients: some Sequence<Tensor>) -> Double {
  gradients.reduce(0.0) { $0 + $1.squaredNorm() }.squareRoot()
}

/// The factor that brings gradients of this norm to at most `limit`: min(1, limit / (norm + 1e-6)).
package func clippingScale(norm: Double, limit: Double) -> Float { Float(min(1, limit / (norm + 1e-6))) }
