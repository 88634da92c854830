import Foundation
import Tensors

/// What a model predicts about a noisy sample x = sqrt(a) x0 + sqrt(1 - a) n, with `a` the share of signal variance.
package enum PredictionKind: String, CaseIterable, Sendable {
  /// The noise n.
  case epsilon
  /// The noiseless sample x0.
  case sample
  /// sqrt(a) n - sqrt(1 - a) x0 (Salimans & Ho 2022).
  case velocity = "v_prediction"
}

/// How much signal and noise a sample holds at each training timestep, and the conversions that follow from it.
///
/// Coefficients are float64, tensors float32.
package struct NoiseSchedule: Sendable, Equatable {
  /// Share of signal variance at each training timestep (alpha bar), falling; 0 at the end with zero terminal SNR.
  package let cumulativeAlphas: [Double]
  package let predictionKind: PredictionKind
  /// Whether amplitudes are computed in bfloat16, as in published training.
  package var roundsAmplitudes = false

  /// The table of a valid configuration.
  package init(_ configuration: DiffusionConfiguration) {
    var product = 1.0
    var alphas = Self.betas(configuration).map { beta in
      product *= 1 - beta
      return product
    }
    let scale = configuration.snrShiftScale
    alphas = alphas.map { $0 / (scale + (1 - scale) * $0) }
    if configuration.rescalesToZeroTerminalSNR { alphas = Self.endingInPureNoise(alphas) }
    cumulativeAlphas = alphas
    predictionKind = configuration.predictionKind
  }

  private static func betas(_ configuration: DiffusionConfiguration) -> [Double] {
    if let betas = configuration.trainedBetas { return betas }
    let count = configuration.trainingTimesteps
    let (start, end) = (configuration.betaStart, configuration.betaEnd)
    switch configuration.betaSchedule {
    case .linear: return evenlySpaced(from: start, to: end, count)
    case .scaledLinear: return evenlySpaced(from: start.squareRoot(), to: end.squareRoot(), count).map { $0 * $0 }
    }
  }

  /// Shifts and scales the signal amplitudes so that the last is 0 and the first stays (Lin et al. 2023, algorithm 1).
  private static func endingInPureNoise(_ alphas: [Double]) -> [Double] {
    let roots = alphas.map { $0.squareRoot() }
    let (first, last) = (roots[0], roots[roots.count - 1])
    return roots.map { root in
      let amplitude = (root - last) * (first / (first - last))
      return amplitude * amplitude
    }
  }
}

extension NoiseSchedule {
  /// The timestep that published training tells the model for a sampled one: trunc(float32(t / 1000) * 1000), which is
  /// one lower for five of the thousand.
  package static func trainingTimestep(_ timestep: Int) -> Int { Int(Float(timestep) / 1000 * 1000) }

  /// sqrt(a) and sqrt(1 - a)
  package func amplitudes(at timestep: Int) -> (signal: Double, noise: Double) {
    let alpha = cumulativeAlphas[timestep]
    guard roundsAmplitudes else { return (alpha.squareRoot(), (1 - alpha).squareRoot()) }
    let rounded = Self.bfloat16(alpha)
    return (Self.bfloat16(rounded.squareRoot()), Self.bfloat16(Self.bfloat16(1 - rounded).squareRoot()))
  }

  /// The nearest bfloat16 of a positive number, ties to even.
  private static func bfloat16(_ value: Double) -> Double {
    let bits = Float(value).bitPattern
    return Double(Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000))
  }
}

// MARK: - Tensors

extension NoiseSchedule {
  /// sqrt(a) x0 + sqrt(1 - a) n
  ///
  /// - Parameter timesteps: training timesteps, one for each sample `[B, ...]`.
  package func noised(_ samples: Tensor, with noise: Tensor, at timesteps: [Int]) -> Tensor {
    combined(samples, noise, at: timesteps) { ($0.signal, $0.noise) }
  }

  /// sqrt(a) n - sqrt(1 - a) x0: the prediction that a velocity model should make. `[B, ...]`.
  ///
  /// Given a noisy sample as `noise` and a velocity as `samples` the same formula gives x0 back.
  package func velocity(of samples: Tensor, noise: Tensor, at timesteps: [Int]) -> Tensor {
    combined(noise, samples, at: timesteps) { ($0.signal, -$0.noise) }
  }

  /// x0 as the model's output for a noisy sample tells it.
  ///
  /// - Parameter alpha: share of signal variance in `sample`; not 0 for noise predictions.
  func original(from output: Tensor, sample: Tensor, alpha: Double) -> Tensor {
    let (signal, noise) = (alpha.squareRoot(), (1 - alpha).squareRoot())
    return switch predictionKind {
    case .epsilon: .combined(sample, Float(1 / signal), output, Float(-noise / signal))
    case .sample: output
    case .velocity: .combined(sample, Float(signal), output, Float(-noise))
    }
  }

  private func combined(
    _ first: Tensor, _ second: Tensor, at timesteps: [Int],
    _ factors: ((signal: Double, noise: Double)) -> (Double, Double)
  ) -> Tensor {
    precondition(
      first.shape == second.shape && first.shape[0] == timesteps.count,
      "\(timesteps.count) timesteps for samples \(first.shape) and \(second.shape)")
    let rows = timesteps.enumerated().map { row, timestep in
      let (p, q) = factors(amplitudes(at: timestep))
      return Tensor.combined(first.sliced(0, row..<row + 1), Float(p), second.sliced(0, row..<row + 1), Float(q))
    }
    return Tensor.concatenated(rows, axis: 0)
  }
}

/// `count` values from `start` to `end`, both included; for a count of 1, `start`.
func evenlySpaced(from start: Double, to end: Double, _ count: Int) -> [Double] {
  guard count > 1 else { return [start] }
  let distance = (end - start) / Double(count - 1)
  return (0..<count).map { $0 == count - 1 ? end : start + Double($0) * distance }
}
