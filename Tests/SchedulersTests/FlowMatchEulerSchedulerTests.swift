import Checkpoints
import Compute
import Tensors
import TestSupport
import Testing

@testable import Schedulers

@Suite("Flow-matching Euler scheduler")
struct FlowMatchEulerSchedulerTests {
  private let goldens: SafetensorsReader

  init() throws { goldens = try SafetensorsReader(path: Fixtures.path("wan-tiny/schedulers.safetensors")) }

  private func scheduler(shift: Double, steps: Int) throws -> FlowMatchEulerScheduler {
    var configuration = FlowConfiguration()
    configuration.shift = shift
    return try FlowMatchEulerScheduler(configuration, steps: steps)
  }

  @Test("Sigmas and timesteps equal the recorded ones", arguments: [1.0, 3, 5, 7.5], [1, 2, 6, 30, 50])
  func tables(shift: Double, steps: Int) throws {
    let name = "tables.euler.shift\(shift).steps\(steps)"
    let scheduler = try scheduler(shift: shift, steps: steps)
    #expect(scheduler.sigmas == (try goldens.tensor(named: "\(name).sigmas").floats()))
    #expect(scheduler.timesteps == (try goldens.tensor(named: "\(name).timesteps").doubles()))
  }

  @Test("Trajectories agree with recorded ones", arguments: [("euler10", 3.0), ("euler10_shift1", 1.0)])
  func trajectories(name: String, shift: Double) throws {
    let scheduler = try scheduler(shift: shift, steps: 10)
    #expect(scheduler.sigmas == (try goldens.tensor(named: "\(name).sigmas").floats()))
    let outputs = try goldens.tensor(named: "\(name).model_outputs")
    var sample = try goldens.tensor(named: "\(name).initial")
    var state = SchedulerState()
    for step in 0..<10 {
      sample = scheduler.step(&state, modelOutput: outputs[step], sample: sample) {
        Issue.record("Euler's method draws no noise")
        return sample
      }
      expectClose(
        sample, try goldens.tensor(named: "\(name).sample_after.\(step)"), absolute: 1e-6, relative: 1e-5,
        "sample \(step)")
    }
  }

  @Test("A model that predicts noise minus sample leads from any noise to the sample")
  func perfectModel() throws {
    let scheduler = try scheduler(shift: 3, steps: 9)
    let (original, noise) = (Tensor([1, -2, 0.5]), Tensor([0.25, 3, -1]))
    var (sample, state) = (noise, SchedulerState())
    for _ in scheduler.timesteps {
      sample = scheduler.step(&state, modelOutput: noise - original, sample: sample) { noise }
    }
    expectClose(sample, original, absolute: 1e-6)
  }

  @Test("Numbers of steps outside of 1...1000 are usage failures", arguments: [0, -5, 1001])
  func stepCounts(steps: Int) {
    #expect(throws: SchedulerFailure.stepCount(steps, limit: 1000)) { try scheduler(shift: 1, steps: steps) }
  }
}
