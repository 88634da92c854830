import Checkpoints
import Foundation
import Schedulers
import Tensors

/// Cases `scheduler_ddim` and `scheduler_dpm`: tables, timesteps, and runs on recorded predictions.
struct SchedulerCases {
  private static let trajectory = Tolerance(absolute: 1e-5, relative: 1e-4)
  private static let table = Tolerance(absolute: 1e-12)

  let goldens: GoldenSet

  func run(_ golden: GoldenCase, _ method: SamplingMethod, into comparison: inout Comparison) throws {
    let tensors = try golden.openTensors()
    let path = "\(goldens.checkpoint)/scheduler/scheduler_config.json"
    let settings = try ConfigFile.decode(DiffusionConfiguration.self, at: path)
    let configuration: SchedulerConfiguration = method == .ddim ? .ddim(settings) : .dpm(settings)
    let schedule = NoiseSchedule(settings)
    try compareTables(schedule, settings, tensors, &comparison)
    for (steps, name) in tensors.indices(of: "timesteps_") {
      let timesteps = try configuration.scheduler(steps: steps).timesteps.map { Int($0) }
      comparison.compare(name, timesteps, try tensors[name].integers())
    }
    let runs = Set(
      tensors.names.compactMap { name in
        name.hasPrefix("traj") ? Int(name.dropFirst(4).prefix { $0.isNumber }) : nil
      })
    for steps in runs.sorted() {
      try compareRun(configuration, schedule, steps: steps, tensors, &comparison)
    }
  }

  private func compareTables(
    _ schedule: NoiseSchedule, _ settings: DiffusionConfiguration, _ tensors: GoldenTensors,
    _ comparison: inout Comparison
  ) throws {
    comparison.compare(
      "alphas_cumprod_f64", schedule.cumulativeAlphas, try tensors["alphas_cumprod_f64"].doubles(), Self.table)
    if let shifted = try tensors.optional("alphas_cumprod_shift3_f64") {
      var settings = settings
      settings.snrShiftScale = 3
      comparison.compare(
        "alphas_cumprod_shift3_f64", NoiseSchedule(settings).cumulativeAlphas, shifted.doubles(), Self.table)
    }
    let timesteps = try tensors["add_noise.timesteps"].integers()
    comparison.compare(
      "add_noise",
      schedule.noised(try tensors["add_noise.x"], with: try tensors["add_noise.noise"], at: timesteps),
      try tensors["add_noise.out"], Self.trajectory)
    comparison.compare(
      "get_velocity",
      schedule.velocity(of: try tensors["add_noise.x"], noise: try tensors["add_noise.noise"], at: timesteps),
      try tensors["get_velocity.out"], Self.trajectory)
    if let recorded = try tensors.optional("sigma_times_1000_as_long") {
      comparison.compare(
        "sigma_times_1000_as_long",
        try tensors["train_timesteps"].integers().map(NoiseSchedule.trainingTimestep), recorded.integers())
    }
  }

  private func compareRun(
    _ configuration: SchedulerConfiguration, _ schedule: NoiseSchedule, steps: Int, _ tensors: GoldenTensors,
    _ comparison: inout Comparison
  ) throws {
    let scheduler = try configuration.scheduler(steps: steps)
    var sample = try tensors["sample0"]
    var state = SchedulerState()
    var draws = tensors.indices(of: "traj\(steps).scheduler_noise_").map(\.name)[...]
    for (step, timestep) in scheduler.timesteps.enumerated() {
      let number = String(format: "%02d", step)
      let output = try tensors["traj\(steps).model_output_\(number)"]
      if schedule.predictionKind == .velocity, let original = try tensors.optional("traj\(steps).pred_x0_\(number)") {
        comparison.compare(
          "traj\(steps).pred_x0_\(number)", schedule.velocity(of: output, noise: sample, at: [Int(timestep)]), original,
          Self.trajectory)
      }
      sample = try scheduler.step(&state, modelOutput: output, sample: sample) {
        guard let name = draws.popFirst() else {
          throw GoldenFailure(path: "scheduler case", problem: "has fewer noise draws than this build takes")
        }
        return try tensors[name]
      }
      comparison.compare(
        "traj\(steps).sample_\(number)", sample, try tensors["traj\(steps).sample_\(number)"], Self.trajectory)
    }
    if !draws.isEmpty { comparison.fail("traj\(steps)", "takes fewer noise draws than recorded") }
  }
}
