import Checkpoints
import Compute
import Tensors
import TestSupport
import Testing

@testable import Schedulers

@Suite("CogVideoX schedulers")
struct DiffusionSchedulerTests {
  enum Method: String, CaseIterable, CustomTestStringConvertible {
    case ddim, dpm

    var testDescription: String { rawValue }
    func scheduler(_ configuration: DiffusionConfiguration, steps: Int) throws -> any Scheduler {
      switch self {
      case .ddim: try DDIMScheduler(configuration, steps: steps)
      case .dpm: try DPMScheduler(configuration, steps: steps)
      }
    }
    func goldens() throws -> SafetensorsReader {
      try SafetensorsReader(path: Fixtures.path("cogvideox-tiny/goldens/scheduler_\(rawValue).safetensors"))
    }
  }

  @Test("Timesteps equal the recorded ones", arguments: Method.allCases, [1, 2, 3, 4, 6, 7, 10, 20, 30, 50, 100])
  func timesteps(method: Method, steps: Int) throws {
    let expected = try method.goldens().tensor(named: "timesteps_\(steps)").integers()
    #expect(try method.scheduler(publishedDiffusion, steps: steps).timesteps == expected.map(Double.init))
  }

  @Test(
    "Any number of steps gives as many falling timesteps inside of the training range",
    arguments: DiffusionConfiguration.TimestepSpacing.allCases)
  func allStepCounts(spacing: DiffusionConfiguration.TimestepSpacing) throws {
    var configuration = publishedDiffusion
    configuration.timestepSpacing = spacing
    for steps in 1...1000 {
      let timesteps = try DDIMScheduler(configuration, steps: steps).timesteps
      #expect(timesteps.count == steps)
      #expect(zip(timesteps, timesteps.dropFirst()).allSatisfy { $0 > $1 })
      #expect(timesteps.allSatisfy { (0...999).contains($0) })
    }
  }

  @Test("Leading and linspace spacing follow their published rules")
  func otherSpacings() throws {
    var configuration = publishedDiffusion
    configuration.timestepSpacing = .leading
    configuration.stepsOffset = 1
    #expect(try DDIMScheduler(configuration, steps: 4).timesteps == [751, 501, 251, 1])
    configuration.timestepSpacing = .linspace
    #expect(try DDIMScheduler(configuration, steps: 3).timesteps == [999, 500, 0])
  }

  @Test("Trajectories agree with recorded ones", arguments: Method.allCases, [6, 10])
  func trajectories(method: Method, steps: Int) throws {
    let goldens = try method.goldens()
    let scheduler = try method.scheduler(publishedDiffusion, steps: steps)
    var sample = try goldens.tensor(named: "sample0")
    var state = SchedulerState()
    var draws = 0
    for step in 0..<steps {
      let number = (step < 10 ? "0" : "") + "\(step)"
      sample = try scheduler.step(
        &state, modelOutput: goldens.tensor(named: "traj\(steps).model_output_\(number)"), sample: sample
      ) {
        defer { draws += 1 }
        return try goldens.tensor(named: "traj\(steps).scheduler_noise_\(draws < 10 ? "0" : "")\(draws)")
      }
      expectClose(
        sample, try goldens.tensor(named: "traj\(steps).sample_\(number)"), absolute: 1e-5, relative: 1e-4,
        "sample \(number)")
      if let original = state.originals.last, goldens.contains("traj\(steps).pred_x0_\(number)") {
        expectClose(
          original, try goldens.tensor(named: "traj\(steps).pred_x0_\(number)"), absolute: 1e-5, relative: 1e-4,
          "pred_x0 \(number)")
      }
    }
    #expect(state.step == steps)
    // All recorded draws were consumed, the ones thrown away included.
    #expect(draws == goldens.names.filter { $0.hasPrefix("traj\(steps).scheduler_noise_") }.count)
  }

  @Test("A run that stops half way goes on to the same bits", arguments: Method.allCases)
  func resuming(method: Method) throws {
    let scheduler = try method.scheduler(publishedDiffusion, steps: 5)
    let start = tensor(0)
    func run(_ steps: Range<Int>, from sample: Tensor, _ state: inout SchedulerState) -> Tensor {
      steps.reduce(sample) { sample, step in
        scheduler.step(&state, modelOutput: tensor(UInt64(step) + 1), sample: sample) { tensor(UInt64(step) + 100) }
      }
    }
    var state = SchedulerState()
    let whole = run(0..<5, from: start, &state)
    state = SchedulerState()
    let half = run(0..<3, from: start, &state)
    var resumed = SchedulerState(
      step: state.step, originals: state.originals.map { Tensor($0.floats(), shape: $0.shape) })
    #expect(run(3..<5, from: Tensor(half.floats(), shape: half.shape), &resumed).floats() == whole.floats())
  }

  @Test(
    "With perfect predictions the last step returns the noiseless sample", arguments: Method.allCases, [1, 2, 7, 50])
  func perfectModel(method: Method, steps: Int) throws {
    let schedule = NoiseSchedule(publishedDiffusion)
    let scheduler = try method.scheduler(publishedDiffusion, steps: steps)
    let original = tensor(1)
    var sample = tensor(2)
    var state = SchedulerState()
    for timestep in scheduler.timesteps {
      // v = (sqrt(a) x - x0) / sqrt(1 - a)
      let alpha = schedule.cumulativeAlphas[Int(timestep)]
      let velocity = Tensor.combined(
        sample, Float((alpha / (1 - alpha)).squareRoot()), original, Float(-1 / (1 - alpha).squareRoot()))
      sample = scheduler.step(&state, modelOutput: velocity, sample: sample) { tensor(3 + UInt64(timestep)) }
    }
    // Steps end at timestep 0 or below it; at 0 a share of 0.00085 is still noise.
    let isFinished = scheduler.timesteps[steps - 1] - Double(1000 / steps) < 0
    expectClose(sample, original, absolute: isFinished ? 1e-4 : 0.2)
  }

  @Test(
    "Numbers of steps outside of 1...1000 are usage failures", arguments: Method.allCases, [0, -1, 1001, Int.max, .min])
  func stepCounts(method: Method, steps: Int) {
    #expect(throws: SchedulerFailure.stepCount(steps, limit: 1000)) {
      try method.scheduler(publishedDiffusion, steps: steps)
    }
    #expect(SchedulerFailure.stepCount(steps, limit: 1000).category == .usage)
  }

  @Test("An offset beyond the training range and noise predictions from pure noise are refused")
  func impossibleStarts() {
    var configuration = publishedDiffusion
    configuration.timestepSpacing = .leading
    configuration.stepsOffset = 1
    #expect(throws: SchedulerFailure.timestepBeyondTraining(1000, steps: 1000, limit: 1000)) {
      try DDIMScheduler(configuration, steps: 1000)
    }
    configuration = publishedDiffusion
    configuration.predictionKind = .epsilon
    #expect(throws: SchedulerFailure.predictsNothingFromPureNoise(timestep: 999)) {
      try DPMScheduler(configuration, steps: 10)
    }
  }

  private func tensor(_ stream: UInt64) -> Tensor {
    var generator = RandomGenerator(seed: 7, nextStream: stream)
    return .normal([1, 2, 5], from: &generator)
  }
}
