import Tensors
import TestSupport
import Testing

@testable import Schedulers

@Suite("Guidance")
struct GuidanceTests {
  /// s(t) for g = 6 and 50 steps, t = 999, 979, ..., 19, as the published code computes it.
  private static let published = [
    2.2915, 2.5435, 6.9744, 6.4204, 2.7881, 4.2719, 1.0376, 4.1704, 1.6180, 6.9831, 1.0048, 2.8720, 6.9768, 1.6331,
    4.3297, 2.4366, 6.3773, 6.0068, 3.4479, 3.1981, 1.6548, 6.6100, 1.1947, 4.2953, 6.9854, 1.5213, 1.7616, 1.0579,
    4.1275, 1.4823, 2.0026, 5.9477, 4.1432, 6.5305, 6.1398, 6.9999, 6.1684, 1.1199, 2.0975, 6.6850, 6.9992, 2.3432,
    6.2128, 1.2505, 6.9996, 6.8644, 1.0636, 1.0000, 1.0000, 1.1234,
  ]

  @Test("The dynamic scale takes the published values at all of 50 timesteps")
  func dynamicScale() throws {
    let timesteps = try DDIMScheduler(publishedDiffusion, steps: 50).timesteps
    let guidance = Guidance.dynamic(6)
    for (timestep, expected) in zip(timesteps, Self.published) {
      #expect(abs(guidance.scale(at: timestep, steps: 50) - expected) <= 5.1e-5, "timestep \(timestep)")
    }
  }

  @Test("A constant scale is the same at all timesteps")
  func constantScale() {
    #expect(Guidance.constant(6).scale(at: 999, steps: 50) == 6)
    #expect(Guidance.constant(6).scale(at: 19, steps: 7) == 6)
  }

  @Test("Predictions are pushed along the difference of the two")
  func prediction() {
    let (unconditional, conditional) = (Tensor([1, 2]), Tensor([2, -1]))
    func guided(_ scale: Double) -> [Float] {
      Guidance.prediction(unconditional: unconditional, conditional: conditional, scale: scale).floats()
    }
    #expect(guided(0) == [1, 2])
    #expect(guided(1) == [2, -1])
    #expect(guided(6) == [7, -16])
  }
}
