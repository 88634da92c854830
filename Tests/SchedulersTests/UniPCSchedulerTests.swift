import Checkpoints
import Compute
import Tensors
import TestSupport
import Testing

@testable import Schedulers

@Suite("UniPC scheduler")
struct UniPCSchedulerTests {
  private let goldens: SafetensorsReader

  init() throws { goldens = try SafetensorsReader(path: Fixtures.path("wan-tiny/schedulers.safetensors")) }

  private func scheduler(
    shift: Double, steps: Int, _ change: (inout UniPCConfiguration) -> Void = { _ in }
  ) throws -> UniPCScheduler {
    var configuration = UniPCConfiguration()
    configuration.shift = shift
    change(&configuration)
    return try UniPCScheduler(configuration, steps: steps)
  }

  private func noNoise() -> Tensor {
    Issue.record("UniPC draws no noise")
    return Tensor([])
  }

  @Test("Sigmas and timesteps equal the recorded ones", arguments: [1.0, 3, 5, 7.5], [1, 2, 6, 30, 50])
  func tables(shift: Double, steps: Int) throws {
    let name = "tables.unipc.shift\(shift).steps\(steps)"
    let scheduler = try scheduler(shift: shift, steps: steps)
    #expect(scheduler.sigmas == (try goldens.tensor(named: "\(name).sigmas").floats()))
    #expect(scheduler.timesteps == (try goldens.tensor(named: "\(name).timesteps").doubles()))
  }

  struct Run: CustomTestStringConvertible, Sendable {
    let name: String
    let steps: Int
    let order: Int
    var kind = UniPCConfiguration.SolverKind.bh2
    var testDescription: String { name }
  }

  @Test(
    "Trajectories agree with recorded ones",
    arguments: [
      Run(name: "unipc10", steps: 10, order: 2), Run(name: "unipc20", steps: 20, order: 2),
      Run(name: "unipc10_order3", steps: 10, order: 3), Run(name: "unipc10_bh1", steps: 10, order: 2, kind: .bh1),
    ])
  func trajectories(run: Run) throws {
    let scheduler = try scheduler(shift: 3, steps: run.steps) {
      $0.solverOrder = run.order
      $0.solverKind = run.kind
    }
    let outputs = try goldens.tensor(named: "\(run.name).model_outputs")
    var sample = try goldens.tensor(named: "\(run.name).initial")
    var state = SchedulerState()
    for step in 0..<run.steps {
      sample = scheduler.step(&state, modelOutput: outputs[step], sample: sample, noise: noNoise)
      let recorded = try goldens.tensor(named: "\(run.name).sample_after.\(step)")
      // With bh1 the published sampler multiplies infinity by zero in the last step.
      guard recorded.nonFiniteCount == 0 else {
        #expect(run.kind == .bh1 && step == run.steps - 1 && sample.nonFiniteCount == 0)
        continue
      }
      expectClose(sample, recorded, absolute: 1e-6, relative: 1e-6, "\(run.name) sample \(step)")
    }
  }

  @Test("A model that predicts noise minus sample leads from any noise to the sample", arguments: 1...3)
  func perfectModel(order: Int) throws {
    let scheduler = try scheduler(shift: 3, steps: 9) { $0.solverOrder = order }
    let (original, noise) = (Tensor([1, -2, 0.5]), Tensor([0.25, 3, -1]))
    // The first step does not begin at pure noise.
    let sigma = scheduler.sigmas[0]
    var sample = Tensor.combined(noise, sigma, original, 1 - sigma)
    var state = SchedulerState()
    for step in 0..<9 {
      sample = scheduler.step(&state, modelOutput: noise - original, sample: sample, noise: noNoise)
      let next = scheduler.sigmas[step + 1]
      expectClose(sample, .combined(noise, next, original, 1 - next), absolute: 1e-5, "after step \(step)")
    }
  }

  @Test("Steps that are not to be corrected start from the predicted sample")
  func uncorrectedSteps() throws {
    let plain = try scheduler(shift: 3, steps: 4)
    let uncorrected = try scheduler(shift: 3, steps: 4) { $0.uncorrectedSteps = [0, 1, 2] }
    var (states, samples) = ([SchedulerState(), SchedulerState()], [Tensor([1, 2]), Tensor([1, 2])])
    for step in 0..<2 {
      for (index, scheduler) in [plain, uncorrected].enumerated() {
        let output = samples[index].scaled(by: Float(step + 1), adding: 0.5)
        samples[index] = scheduler.step(&states[index], modelOutput: output, sample: samples[index], noise: noNoise)
      }
      #expect((samples[0].floats() == samples[1].floats()) == (step == 0))
    }
  }

  @Test("A run that goes on from a saved state gives what an uninterrupted one does")
  func resume() throws {
    let scheduler = try scheduler(shift: 3, steps: 6)
    func run(_ steps: Range<Int>, _ state: inout SchedulerState, _ sample: Tensor) -> Tensor {
      steps.reduce(sample) { sample, _ in
        scheduler.step(&state, modelOutput: sample.scaled(by: 0.3, adding: 1), sample: sample, noise: noNoise)
      }
    }
    var whole = SchedulerState()
    let expected = run(0..<6, &whole, Tensor([0.5, -1])).floats()
    var first = SchedulerState()
    let middle = run(0..<3, &first, Tensor([0.5, -1]))
    var second = SchedulerState(step: first.step, originals: first.originals, start: first.start)
    #expect(run(3..<6, &second, middle).floats() == expected)
  }

  @Test("Numbers of steps outside of 1...1000 are usage failures", arguments: [0, -5, 1001])
  func stepCounts(steps: Int) {
    #expect(throws: SchedulerFailure.stepCount(steps, limit: 1000)) { try scheduler(shift: 1, steps: steps) }
  }
}
