import Layers
import Tensors

/// The gradients of one update, and how parameters follow them.
package struct StepGradients: Sendable {
  package private(set) var pairs: [(parameter: Parameter, gradient: Tensor)]
  /// Length of all gradients together; not finite if one of them is not.
  package private(set) var norm: Double

  /// - Parameter isZero: which parameters, where no gradient was found, have one of zero.
  package init(_ found: GradientStore, of parameters: [Parameter], zeroWhere isZero: (String) -> Bool) {
    self.init(
      parameters.compactMap { parameter in
        let gradient = found[parameter.tensor] ?? (isZero(parameter.key) ? .zeros(parameter.shape) : nil)
        return gradient.map { (parameter, $0) }
      })
  }

  private init(_ pairs: [(parameter: Parameter, gradient: Tensor)]) {
    self.pairs = pairs
    norm = globalNorm(of: pairs.map(\.gradient))
  }

  /// The sums over all ranks.
  func summed(by collective: some Collective) throws -> StepGradients {
    guard collective.size > 1 else { return self }
    let sums = try collective.sum(pairs.map(\.gradient))
    return StepGradients(zip(pairs, sums).map { ($0.parameter, $1) })
  }

  /// Updates every parameter that has a gradient, shortened to a norm of at most `limit`.
  package func apply(limit: Double?, learningRate: Double, by optimizer: inout some Optimizer) {
    let scale = limit.map { clippingScale(norm: norm, limit: $0) } ?? 1
    optimizer.update(pairs, gradientScale: scale, learningRate: learningRate)
  }
}
