import Tensors

/// Euler's method along the straight paths of flow matching: x = (1 - sigma) x0 + sigma n, and the model predicts n - x0.
package struct FlowMatchEulerScheduler: Scheduler {
  /// Share of noise before each step, and 0 for the end.
  package let sigmas: [Float]
  private let trainingTimesteps: Int

  /// Sigmas are evenly spaced between the shifted ends of the training range and then shifted once more, as published,
  /// so with a shift other than 1 the last steps are shifted twice. The ends and the result are float32, what lies
  /// between is float64.
  package init(_ configuration: FlowConfiguration, steps: Int) throws(SchedulerFailure) {
    let limit = configuration.trainingTimesteps
    try SchedulerFailure.checkStepCount(steps, limit: limit)
    let shift = configuration.shift
    let smallest = 1 / Float(limit)
    let end = Double(Float(shift) * smallest / (1 + Float(shift - 1) * smallest))
    let spaced = evenlySpaced(from: Double(limit), to: end * Double(limit), steps).map { $0 / Double(limit) }
    sigmas = spaced.map { Float(shift * $0 / (1 + (shift - 1) * $0)) } + [0]
    trainingTimesteps = limit
  }

  package var timesteps: [Double] { sigmas.dropLast().map { Double($0 * Float(trainingTimesteps)) } }

  /// x' = x + (sigma' - sigma) v. Draws no noise.
  package func step(
    _ state: inout SchedulerState, modelOutput: Tensor, sample: Tensor, noise: () throws -> Tensor
  ) rethrows -> Tensor {
    let distance = sigmas[state.step + 1] - sigmas[state.step]
    state.step += 1
    return .combined(sample, 1, modelOutput, distance)
  }
}
