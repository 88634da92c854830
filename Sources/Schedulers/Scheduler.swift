import Runtime
import Tensors

/// A sampling method with a fixed number of steps: turns the model's predictions into less and less noisy samples.
package protocol Scheduler: Sendable {
  /// What the model is told at each step, from the most noise to the least: training timesteps, whole numbers for
  /// diffusion and float32 values for flow matching.
  var timesteps: [Double] { get }

  /// Takes step `state.step` and moves `state` on to the next.
  ///
  /// - Parameters:
  ///   - modelOutput: the model's (guided) prediction for `sample` at `timesteps[state.step]`, of the sample's shape.
  ///   - noise: draws standard normal values of the sample's shape; called once for each draw that the method makes, in
  ///     the order in which the published sampler consumes its generator, so that recorded draws can stand in.
  /// - Returns: the sample at the noise level of the next step; after the last step, the result.
  func step(
    _ state: inout SchedulerState, modelOutput: Tensor, sample: Tensor, noise: () throws -> Tensor
  ) rethrows -> Tensor
}

/// Everything that a step needs besides the sample: saved with it, a run goes on where it stopped.
package struct SchedulerState: Sendable {
  /// Index of the step to take next.
  package var step: Int
  /// The latest predictions of the noiseless sample, newest last: as many as the method looks back, so none for
  /// single-step methods.
  package var originals: [Tensor]
  /// What the latest step started from, for methods that correct the step later.
  package var start: Tensor?

  package init(step: Int = 0, originals: [Tensor] = [], start: Tensor? = nil) {
    self.step = step
    self.originals = originals
    self.start = start
  }
}

/// A number of steps that a schedule cannot be sampled in.
package enum SchedulerFailure: Failure, Equatable {
  case stepCount(Int, limit: Int)
  case timestepBeyondTraining(Int, steps: Int, limit: Int)
  case predictsNothingFromPureNoise(timestep: Int)

  package var category: FailureCategory {
    switch self {
    case .stepCount: .usage
    case .timestepBeyondTraining, .predictsNothingFromPureNoise: .badInput
    }
  }

  package var message: String {
    switch self {
    case .stepCount(let steps, let limit):
      "the number of steps must be from 1 to \(limit), the timesteps that the model was trained on, not \(steps)"
    case .timestepBeyondTraining(let timestep, let steps, let limit):
      "the scheduler's steps_offset moves the first of \(steps) steps to timestep \(timestep), beyond the last trained "
        + "one, \(limit - 1); take fewer steps"
    case .predictsNothingFromPureNoise(let timestep):
      "the scheduler's prediction_type 'epsilon' says nothing about the sample at its first timestep \(timestep), which "
        + "rescale_betas_zero_snr makes pure noise; use 'v_prediction' or 'sample'"
    }
  }

  /// Throws unless a schedule of `limit` training timesteps can be sampled in `steps`.
  static func checkStepCount(_ steps: Int, limit: Int) throws(SchedulerFailure) {
    guard (1...limit).contains(steps) else { throw .stepCount(steps, limit: limit) }
  }
}
