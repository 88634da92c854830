import Checkpoints
import Tensors
import TestSupport
import Testing

@testable import Schedulers

/// The published configuration of the 5B model.
let publishedDiffusion: DiffusionConfiguration = {
  var configuration = DiffusionConfiguration()
  configuration.rescalesToZeroTerminalSNR = true
  configuration.snrShiftScale = 1
  configuration.timestepSpacing = .trailing
  configuration.predictionKind = .velocity
  return configuration
}()

@Suite("Noise schedule")
struct NoiseScheduleTests {
  private let goldens: SafetensorsReader

  init() throws {
    goldens = try SafetensorsReader(path: Fixtures.path("cogvideox-tiny/goldens/scheduler_ddim.safetensors"))
  }

  @Test("The table agrees with the recorded one to 1e-12", arguments: [(1.0, ""), (3.0, "_shift3")])
  func table(scale: Double, suffix: String) throws {
    var configuration = publishedDiffusion
    configuration.snrShiftScale = scale
    let expected = try goldens.tensor(named: "alphas_cumprod\(suffix)_f64").doubles()
    let table = NoiseSchedule(configuration).cumulativeAlphas
    #expect(table.count == expected.count)
    #expect(zip(table, expected).allSatisfy { abs($0 - $1) <= 1e-12 })
    #expect(table[999] == 0)
  }

  @Test("Linear betas multiply up as on paper")
  func linear() {
    var configuration = DiffusionConfiguration()
    configuration.trainingTimesteps = 3
    (configuration.betaStart, configuration.betaEnd) = (0.25, 0.75)
    configuration.betaSchedule = .linear
    configuration.snrShiftScale = 1
    // 3/4, 3/4 1/2, 3/4 1/2 1/4
    #expect(NoiseSchedule(configuration).cumulativeAlphas == [0.75, 0.375, 0.09375])
    configuration.snrShiftScale = 3
    // a / (3 - 2a)
    #expect(NoiseSchedule(configuration).cumulativeAlphas == [0.75 / 1.5, 0.375 / 2.25, 0.09375 / 2.8125])
  }

  @Test("Trained betas take the place of the computed ones")
  func trainedBetas() {
    var configuration = DiffusionConfiguration()
    configuration.trainingTimesteps = 2
    configuration.trainedBetas = [0.5, 0.5]
    configuration.snrShiftScale = 1
    #expect(NoiseSchedule(configuration).cumulativeAlphas == [0.5, 0.25])
  }

  @Test("Noising and velocity agree with recorded values, each sample at its own timestep")
  func noising() throws {
    let schedule = NoiseSchedule(publishedDiffusion)
    let timesteps = try goldens.tensor(named: "add_noise.timesteps").integers()
    let (samples, noise) = (
      try goldens.tensor(named: "add_noise.x"), try goldens.tensor(named: "add_noise.noise")
    )
    // The reference rounds the table to float32 before it takes roots.
    expectClose(
      schedule.noised(samples, with: noise, at: timesteps), try goldens.tensor(named: "add_noise.out"),
      absolute: 1e-5, relative: 1e-4)
    expectClose(
      schedule.velocity(of: samples, noise: noise, at: timesteps), try goldens.tensor(named: "get_velocity.out"),
      absolute: 1e-5, relative: 1e-4)
  }

  @Test("Each kind of prediction gives the noiseless sample back", arguments: PredictionKind.allCases)
  func original(kind: PredictionKind) {
    var configuration = publishedDiffusion
    configuration.predictionKind = kind
    let schedule = NoiseSchedule(configuration)
    let (sample, noise) = (Tensor([0.5, -2, 3], shape: [1, 3]), Tensor([1, 0.25, -1], shape: [1, 3]))
    let noisy = schedule.noised(sample, with: noise, at: [400])
    let output =
      switch kind {
      case .epsilon: noise
      case .sample: sample
      case .velocity: schedule.velocity(of: sample, noise: noise, at: [400])
      }
    let original = schedule.original(from: output, sample: noisy, alpha: schedule.cumulativeAlphas[400])
    expectClose(original, sample, absolute: 1e-5)
  }
}
