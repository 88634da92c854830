import Foundation
import Tensors

/// Stochastic second-order multistep sampling (SDE-DPM-Solver++ 2M, Lu et al. 2022) as CogVideoX publishes it.
package struct DPMScheduler: Scheduler {
  private let steps: DiffusionSteps

  package init(_ configuration: DiffusionConfiguration, steps: Int) throws(SchedulerFailure) {
    self.steps = try DiffusionSteps(configuration, steps: steps)
  }

  package var timesteps: [Double] { steps.timesteps.map(Double.init) }

  /// x' = m x + p d + q n, with d extrapolated from this and the previous x0; on the first step and on the one that
  /// leads to the final noise level, d is x0.
  ///
  /// Infinite logarithms at a = 0 and a' = 1 have finite limits, which float64 arithmetic takes by itself.
  package func step(
    _ state: inout SchedulerState, modelOutput: Tensor, sample: Tensor, noise: () throws -> Tensor
  ) rethrows -> Tensor {
    let alpha = steps.alpha(before: state.step)
    let (next, isFinal) = steps.alpha(after: state.step)
    let original = steps.schedule.original(from: modelOutput, sample: sample, alpha: alpha)
    let h = Self.halfLogSNR(next) - Self.halfLogSNR(alpha)

    var draw = try noise()
    var denoised = original
    if let previous = state.originals.last, state.step > 0, !isFinal {
      let r = (Self.halfLogSNR(alpha) - Self.halfLogSNR(steps.alpha(before: state.step - 1))) / h
      denoised = .combined(original, Float(1 + 1 / (2 * r)), previous, Float(-1 / (2 * r)))
      // The published sampler throws away the first draw of a second-order step.
      draw = try noise()
    }
    state.step += 1
    state.originals = [original]
    let mean = Tensor.combined(
      sample, Float(((1 - next) / (1 - alpha)).squareRoot() * exp(-h)),
      denoised, Float(-expm1(-2 * h) * next.squareRoot()))
    return .combined(mean, 1, draw, Float((1 - next).squareRoot() * (1 - exp(-2 * h)).squareRoot()))
  }

  private static func halfLogSNR(_ alpha: Double) -> Double { log((alpha / (1 - alpha)).squareRoot()) }
}
