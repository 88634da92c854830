import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Schedulers

@Suite("Noising for flow matching")
struct FlowNoisingTests {
  private let goldens: SafetensorsReader

  init() throws { goldens = try SafetensorsReader(path: Fixtures.path("wan-tiny/schedulers.safetensors")) }

  private func noising(
    _ distribution: FlowNoising.Distribution = .uniform, shift: Double = 1, leastNoise: Double = 0
  ) -> FlowNoising {
    var noising = FlowNoising()
    noising.distribution = distribution
    noising.shift = shift
    noising.leastNoise = leastNoise
    return noising
  }

  @Test("levels and truncated timesteps equal the recorded tables of published training")
  func publishedTables() throws {
    let noising = noising()
    let levels = (0..<1000).map { noising.level(index: $0) }
    #expect(levels == (try goldens.tensor(named: "training.sigmas").floats().prefix(1000).map { $0 }))
    #expect(
      levels.map { Int(noising.timestep(of: $0, truncates: true)) }
        == (try goldens.tensor(named: "training.timesteps_of_sigmas").integers()))
    #expect(levels.map { noising.timestep(of: $0, truncates: false) } == (1...1000).reversed().map(Double.init))
  }

  @Test("uniform draws take every level alike, from the noisiest on")
  func uniform() {
    let noising = noising()
    #expect(noising.level(at: 0) == 1)
    #expect(noising.level(at: 0.0011) == 0.999)
    #expect(noising.level(at: 0.9999) == 0.001)
  }

  @Test("the published distribution has the quantiles of a logit-normal number")
  func logitNormal() {
    let noising = FlowNoising()
    #expect(noising.distribution == .logitNormal(mean: 0, deviation: 1))
    // Phi(1) = 0.8413447: sigmoid(1) = 0.7310586 lies at that place from the noisy end.
    #expect(noising.level(at: 0.8413448) == 0.269)
    #expect(noising.level(at: 1 - 0.8413446) == 0.732)
    #expect(noising.level(at: 0.5 + 1e-9) == 0.5)
    #expect(noising.level(at: 0) == 1)
    let levels = stride(from: 0.0005, to: 1, by: 0.001).map { Double(noising.level(at: $0)) }
    #expect(abs(levels.reduce(0, +) / 1000 - 0.5) < 0.002)
    // The variance of sigmoid(z).
    #expect(abs(levels.reduce(0) { $0 + ($1 - 0.5) * ($1 - 0.5) } / 1000 - 0.0433) < 0.001)
    let noisier = self.noising(.logitNormal(mean: -1, deviation: 0.5))
    #expect(noisier.level(at: 0.5) > noising.level(at: 0.5))
  }

  @Test("a shift moves levels to the noisy end, and timesteps are then no whole numbers")
  func shifted() {
    let noising = noising(shift: 3)
    #expect(noising.level(at: 0) == 1)
    #expect(noising.level(index: 500) == 0.75)
    let level = noising.level(index: 900)
    #expect(abs(level - 0.25) < 1e-6)
    #expect(abs(noising.timestep(of: noising.level(index: 999), truncates: false) - 2.9940) < 1e-3)
    #expect(noising.timestep(of: noising.level(index: 999), truncates: true) == 2)
  }

  @Test("the normal quantile inverts the distribution", arguments: [(0.5, 0.0), (0.975, 1.959964), (0.0013499, -3.0)])
  func quantile(p: Double, expected: Double) { #expect(abs(FlowNoising.normalQuantile(p) - expected) < 1e-4) }

  @Test("the quantile of every number is finite", arguments: [0.0, 1.0, Double.leastNonzeroMagnitude, 1 - 0x1p-53])
  func extremes(p: Double) { #expect(abs(FlowNoising.normalQuantile(p)) <= 9) }

  private let sample = Tensor([1, -2, 0.5])
  private let noise = Tensor([0.25, 3, -1])

  @Test("from any level the flow leads to the sample, and the other way to the noise")
  func flow() {
    let noising = noising()
    let noised = noising.noised(sample, with: noise, at: 0.25)
    expectClose(noised, Tensor([0.8125, -0.75, 0.125]), absolute: 1e-7)
    let flow = noising.flow(of: sample, noise: noise)
    expectClose(.combined(noised, 1, flow, -0.25), sample, absolute: 1e-6)
    expectClose(.combined(noised, 1, flow, 0.75), noise, absolute: 1e-6)
  }

  @Test("the paper's formulation leaves a trace of noise in the sample")
  func paper() {
    let noising = noising(leastNoise: 0.125)
    // x_t = t x1 + (1 - (1 - m) t) x0 at t = 0.75, x1 the sample and x0 the noise.
    expectClose(
      noising.noised(sample, with: noise, at: 0.25), .combined(sample, 0.75, noise, 1 - 0.875 * 0.75), absolute: 1e-6)
    // Its flow x1 - (1 - m) x0, with the sign of published models.
    expectClose(noising.flow(of: sample, noise: noise), .combined(noise, 0.875, sample, -1), absolute: 1e-6)
    expectClose(noising.noised(sample, with: noise, at: 1), noise, absolute: 1e-7)
    expectClose(noising.noised(sample, with: noise, at: 0), .combined(sample, 1, noise, 0.125), absolute: 1e-7)
  }
}
