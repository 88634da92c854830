import Foundation
import Tensors

/// How flow matching noises clips for training: at a level s, x = (1 - s) x0 + (s + m (1 - s)) n, and the model predicts
/// the flow (1 - m) n - x0.
///
/// Published training has m = 0. The paper (section 3.1) has m = 1e-5 and lets time run the other way, from noise at
/// t = 1 - s = 0 with the flow's sign turned: x = t x0 + (1 - (1 - m) t) n. Here time and sign stay those of the published
/// models, so that weights of either training run in either.
package struct FlowNoising: Sendable, Equatable {
  /// How often each level is drawn.
  package enum Distribution: Sendable, Equatable {
    case uniform
    /// u = 1 / (1 + exp(-(mean + deviation z))) for a standard normal z: middle levels more often (Esser et al. 2024).
    case logitNormal(mean: Double, deviation: Double)
  }

  package var distribution = Distribution.logitNormal(mean: 0, deviation: 1)
  /// Moves levels towards the noisy end: s becomes f s / (1 + (f - 1) s).
  package var shift = 1.0
  /// m, what stays of the noise at level 0.
  package var leastNoise = 0.0
  /// Levels that are told apart.
  package var levelCount = 1000

  package init() {}
}

extension FlowNoising {
  /// The level for a number that is uniform in 0..<1: one of levelCount, ..., 2, 1 over `levelCount`, shifted.
  ///
  /// Published training draws an index into the falling table of levels; so does this.
  package func level(at uniform: Double) -> Float {
    let place: Double
    switch distribution {
    case .uniform: place = uniform
    case .logitNormal(let mean, let deviation):
      place = 1 / (1 + exp(-(mean + deviation * Self.normalQuantile(uniform))))
    }
    return level(index: min(max(Int(place * Double(levelCount)), 0), levelCount - 1))
  }

  /// An entry of the table, in float32 as published.
  package func level(index: Int) -> Float {
    let level = Float(levelCount - index) / Float(levelCount)
    return Float(shift) * level / (1 + Float(shift - 1) * level)
  }

  /// What the model is told of a level: level times `levelCount`.
  ///
  /// - Parameter truncates: whether it is cut to a whole number after rounding to float32, as published, which makes five
  ///   of a thousand come out one lower.
  package func timestep(of level: Float, truncates: Bool) -> Double {
    if truncates { return Double(Int(level * Float(levelCount))) }
    let timestep = Double(level) * Double(levelCount)
    // Float32's nearest number to k / 1000 is meant to be k.
    return abs(timestep - timestep.rounded()) < 1e-4 ? timestep.rounded() : timestep
  }

  package func noised(_ sample: Tensor, with noise: Tensor, at level: Float) -> Tensor {
    .combined(sample, 1 - level, noise, Float(Double(level) + leastNoise * (1 - Double(level))))
  }

  /// What the model is to predict.
  package func flow(of sample: Tensor, noise: Tensor) -> Tensor {
    .combined(noise, Float(1 - leastNoise), sample, -1)
  }

  /// The number that a standard normal one stays below with probability `p`; within -9...9.
  static func normalQuantile(_ p: Double) -> Double {
    var (low, high) = (-9.0, 9.0)
    // Once for each sample: bisection down to the last bit is quick enough.
    for _ in 0..<60 {
      let middle = (low + high) / 2
      if 0.5 * erfc(-middle / 2.0.squareRoot()) < p { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }
}
