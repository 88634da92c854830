import Tensors

/// Deterministic diffusion sampling (DDIM, Song et al. 2021) as CogVideoX publishes it, eta = 0.
package struct DDIMScheduler: Scheduler {
  private let steps: DiffusionSteps

  package init(_ configuration: DiffusionConfiguration, steps: Int) throws(SchedulerFailure) {
    self.steps = try DiffusionSteps(configuration, steps: steps)
  }

  package var timesteps: [Double] { steps.timesteps.map(Double.init) }

  /// x' = sqrt(a') x0 + sqrt(1 - a') n, with the noise n that x and the predicted x0 imply. Draws no noise.
  package func step(
    _ state: inout SchedulerState, modelOutput: Tensor, sample: Tensor, noise: () throws -> Tensor
  ) rethrows -> Tensor {
    let alpha = steps.alpha(before: state.step)
    let next = steps.alpha(after: state.step).alpha
    let original = steps.schedule.original(from: modelOutput, sample: sample, alpha: alpha)
    let kept = ((1 - next) / (1 - alpha)).squareRoot()
    state.step += 1
    return .combined(sample, Float(kept), original, Float(next.squareRoot() - alpha.squareRoot() * kept))
  }
}
