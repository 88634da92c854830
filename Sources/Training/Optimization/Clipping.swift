import Tensors

/// The length of all gradients together, in float64.
package func globalNorm(of gradients: some Sequence<Tensor>) -> Double {
  gradients.reduce(0.0) { $0 + $1.squaredNorm() }.squareRoot()
}

/// The factor that brings gradients of this norm to at most `limit`: min(1, limit / (norm + 1e-6)).
package func clippingScale(norm: Double, limit: Double) -> Float { Float(min(1, limit / (norm + 1e-6))) }
