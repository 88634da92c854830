import Checkpoints
import Foundation
import Schedulers
import Tensors

/// Case `schedulers`: tables of sigmas and timesteps, and runs on recorded predictions.
struct WanSchedulerCases {
  // The recorded samples are of order 1.
  private static let trajectory = Tolerance(absolute: 1e-6, relative: 1e-6)

  func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let tensors = try golden.openTensors()
    for name in tensors.names where name.hasPrefix("tables.") && name.hasSuffix(".sigmas") {
      try compareTable(golden, String(name.dropLast(".sigmas".count)), tensors, &comparison)
    }
    for (name, settings) in (golden.info["runs"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      try compareRun(golden, name, settings, tensors, &comparison)
    }
    let noising = FlowNoising()
    let levels = (0..<noising.levelCount).map { noising.level(index: $0) }
    comparison.compare("training.sigmas", Tensor(levels), try tensors["training.sigmas"], .exact)
    comparison.compare(
      "training.timesteps_of_sigmas", levels.map { Int(noising.timestep(of: $0, truncates: true)) },
      try tensors["training.timesteps_of_sigmas"].integers())
  }

  /// `tables.unipc.shift3.0.steps30`
  private func compareTable(
    _ golden: GoldenCase, _ name: String, _ tensors: GoldenTensors, _ comparison: inout Comparison
  ) throws {
    let pattern = /tables\.(euler|unipc)\.shift([0-9.]+)\.steps([0-9]+)/
    guard let match = name.wholeMatch(of: pattern), let shift = Double(match.output.2), let steps = Int(match.output.3)
    else { throw golden.failure("has a table of unknown name '\(name)'") }
    let scheduler: any Scheduler
    if match.output.1 == "unipc" {
      var configuration = UniPCConfiguration()
      configuration.shift = shift
      scheduler = try UniPCScheduler(configuration, steps: steps)
    } else {
      var configuration = FlowConfiguration()
      configuration.shift = shift
      scheduler = try FlowMatchEulerScheduler(configuration, steps: steps)
    }
    try compare(scheduler, name, tensors, &comparison)
  }

  private func compare(
    _ scheduler: any Scheduler, _ name: String, _ tensors: GoldenTensors, _ comparison: inout Comparison
  ) throws {
    let sigmas = (scheduler as? UniPCScheduler)?.sigmas ?? (scheduler as? FlowMatchEulerScheduler)?.sigmas ?? []
    comparison.compare("\(name).sigmas", Tensor(sigmas), try tensors["\(name).sigmas"], .exact)
    comparison.compare(
      "\(name).timesteps", scheduler.timesteps, try tensors["\(name).timesteps"].doubles(), .exact)
  }

  private func compareRun(
    _ golden: GoldenCase, _ name: String, _ settings: JSONValue, _ tensors: GoldenTensors,
    _ comparison: inout Comparison
  ) throws {
    guard case .object(var fields)? = settings["config"], let className = settings["class_name"],
      let steps = settings["steps"]?.int
    else { throw golden.failure("has a run '\(name)' without class_name, config or steps") }
    fields["_class_name"] = className
    let configuration = try JSONValue.object(fields).decoded(as: SchedulerConfiguration.self)
    let scheduler = try configuration.scheduler(steps: steps)
    try compare(scheduler, name, tensors, &comparison)
    let outputs = try tensors["\(name).model_outputs"]
    var sample = try tensors["\(name).initial"]
    var state = SchedulerState()
    for step in 0..<steps {
      sample = try scheduler.step(&state, modelOutput: outputs[step], sample: sample) {
        throw golden.failure("draws noise in a method that has none")
      }
      let expected = try tensors["\(name).sample_after.\(step)"]
      // Where the recorded sampler multiplied infinity by zero there is nothing to compare with.
      if expected.nonFiniteCount == expected.count, sample.nonFiniteCount == 0 { continue }
      comparison.compare("\(name).sample_after.\(step)", sample, expected, Self.trajectory)
    }
  }
}
