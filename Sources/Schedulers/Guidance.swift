import Foundation
import Tensors

/// Classifier-free guidance: how far predictions are pushed from the unconditional towards the conditional one.
package enum Guidance: Sendable, Equatable {
  /// The same scale at all steps.
  case constant(Double)
  /// s(t) = 1 + g (1 - cos(pi x^5)) / 2 with x = (N - t) / N, where N is the number of steps.
  ///
  /// As published, t is the training timestep and not the index of the step: x is far below zero for most of a run, and
  /// s moves irregularly within 1...1+g. The cosine's argument is huge, so float64 and this order of operations matter.
  case dynamic(Double)

  /// - Parameter timestep: as the scheduler names it, for example 999.
  package func scale(at timestep: Double, steps: Int) -> Double {
    switch self {
    case .constant(let scale): return scale
    case .dynamic(let scale):
      let x = (Double(steps) - timestep) / Double(steps)
      return 1 + scale * ((1 - cos(Double.pi * pow(x, 5))) / 2)
    }
  }

  /// u + s (c - u)
  package static func prediction(unconditional: Tensor, conditional: Tensor, scale: Double) -> Tensor {
    .combined(unconditional, 1, conditional - unconditional, Float(scale))
  }
}
