import Layers
import Tensors

/// The gradients of one update, and how parameters follow them.
package struct StepGradients: Sendable {
  package let pairs: [(parameter: Parameter, gradient: Tensor)]
  /// Length of all gradients together; not finite if one of them is not.
  package let norm: Double

  /// - Parameter isZero: which parameters, where no gradient was found, have one of zero.
  package init(_ found: GradientStore, of parameters: [Parameter], zeroWhere isZero: (String) -> Bool) {
    let pairs = Self.pairs(parameters.map { found[$0.tensor] }, of: parameters, zeroWhere: isZero)
    self.init(pairs, norm: globalNorm(of: pairs.map(\.gradient)))
  }

  /// - Parameter norm: also of gradients that other ranks have.
  init(_ pairs: [(parameter: Parameter, gradient: Tensor)], norm: Double) {
    self.pairs = pairs
    self.norm = norm
  }

  /// - Parameter gradients: one for each parameter, or nil.
  static func pairs(
    _ gradients: [Tensor?], of parameters: [Parameter], zeroWhere isZero: (String) -> Bool
  ) -> [(parameter: Parameter, gradient: Tensor)] {
    zip(parameters, gradients).compactMap { parameter, gradient in
      (gradient ?? (isZero(parameter.key) ? .zeros(parameter.shape) : nil)).map { (parameter, $0) }
    }
  }

  /// Updates every parameter that has a gradient, shortened to a norm of at most `limit`.
  package func apply(limit: Double?, learningRate: Double, by optimizer: inout some Optimizer) {
    let scale = limit.map { clippingScale(norm: norm, limit: $0) } ?? 1
    optimizer.update(pairs, gradientScale: scale, learningRate: learningRate)
  }
}
