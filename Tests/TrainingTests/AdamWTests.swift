import Compute
import Foundation
import Layers
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite("AdamW")
struct AdamWTests {
  @Test("Three updates agree with the definition in float64, the third after a gradient of zero")
  func updates() {
    let settings = AdamW.Settings(learningRate: 0.01, firstBeta: 0.9, secondBeta: 0.99, weightDecay: 0.1)
    let parameter = Parameter(key: "w", tensor: .random([50], seed: 1), isTrainable: true)
    var optimizer = AdamW(settings)
    var expected = parameter.tensor.doubles()
    var (first, second) = (expected.map { _ in 0.0 }, expected.map { _ in 0.0 })
    for step in 1...3 {
      let gradient = step == 3 ? Tensor.zeros([50]) : .random([50], seed: UInt64(step) + 1)
      optimizer.update(parameter, gradient: gradient, gradientScale: 0.5)
      for (index, slope) in gradient.doubles().map({ $0 * 0.5 }).enumerated() {
        first[index] = 0.9 * first[index] + 0.1 * slope
        second[index] = 0.99 * second[index] + 0.01 * slope * slope
        expected[index] *= 1 - 0.01 * 0.1
        expected[index] -=
          0.01 * (first[index] / (1 - pow(0.9, Double(step))))
          / ((second[index] / (1 - pow(0.99, Double(step)))).squareRoot() + 1e-8)
      }
      expectClose(parameter.tensor, Tensor(rounding: expected, shape: [50]), absolute: 1e-6)
    }
    #expect(optimizer.moments["w"]?.updates == 3)
  }

  @Test("Decay works on a parameter whose gradient is zero, and its moments stay zero")
  func decayAlone() {
    let parameter = Parameter(key: "w", tensor: Tensor([2, -4]), isTrainable: true)
    var optimizer = AdamW(AdamW.Settings(learningRate: 0.5, weightDecay: 0.5))
    optimizer.update(parameter, gradient: .zeros([2]))
    #expect(parameter.tensor.floats() == [1.5, -3])
    #expect(optimizer.moments["w"]?.first.floats() == [0, 0])
  }

  @Test("Clipping scales to the limit, and leaves shorter gradients alone")
  func clipping() {
    let norm = globalNorm(of: [Tensor([3]), Tensor([0, 4])])
    #expect(norm == 5)
    #expect(clippingScale(norm: norm, limit: 10) == 1)
    #expect(abs(clippingScale(norm: norm, limit: 1) - 0.2) < 1e-6)
  }
}
