import Foundation

/// A noise schedule cut into inference steps.
struct DiffusionSteps: Sendable {
  let schedule: NoiseSchedule
  /// Training timesteps, falling, one for each step.
  let timesteps: [Int]
  private let distance: Int
  private let finalAlpha: Double

  init(_ configuration: DiffusionConfiguration, steps: Int) throws(SchedulerFailure) {
    let limit = configuration.trainingTimesteps
    try SchedulerFailure.checkStepCount(steps, limit: limit)
    schedule = NoiseSchedule(configuration)
    timesteps = Self.timesteps(configuration, steps: steps)
    distance = limit / steps
    finalAlpha = configuration.endsWithoutNoise ? 1 : schedule.cumulativeAlphas[0]
    guard timesteps[0] < limit else { throw .timestepBeyondTraining(timesteps[0], steps: steps, limit: limit) }
    if configuration.predictionKind == .epsilon, schedule.cumulativeAlphas[timesteps[0]] == 0 {
      throw .predictsNothingFromPureNoise(timestep: timesteps[0])
    }
  }

  /// Share of signal variance before a step.
  func alpha(before step: Int) -> Double { schedule.cumulativeAlphas[timesteps[step]] }

  /// Share of signal variance after a step, and whether the step leads below the first training timestep.
  ///
  /// As published, a step goes down by the whole number of training timesteps to a step, which with rounded timesteps
  /// is not always the next step's (833 rather than 832 after 999 with six steps).
  func alpha(after step: Int) -> (alpha: Double, isFinal: Bool) {
    let next = timesteps[step] - distance
    return next >= 0 ? (schedule.cumulativeAlphas[next], false) : (finalAlpha, true)
  }

  /// The published rules, with their ways of rounding: ties to even, products before sums.
  private static func timesteps(_ configuration: DiffusionConfiguration, steps: Int) -> [Int] {
    let limit = configuration.trainingTimesteps
    switch configuration.timestepSpacing {
    case .trailing:
      // NumPy's `arange` takes the rounded difference of its first two values for the distance of all.
      let end = Double(limit)
      let distance = (end - end / Double(steps)) - end
      return (0..<steps).map { Int((end + Double($0) * distance).rounded(.toNearestOrEven)) - 1 }
    case .leading:
      return (0..<steps).reversed().map { $0 * (limit / steps) + configuration.stepsOffset }
    case .linspace:
      return evenlySpaced(from: 0, to: Double(limit - 1), steps).reversed().map { Int($0.rounded(.toNearestOrEven)) }
    }
  }
}
