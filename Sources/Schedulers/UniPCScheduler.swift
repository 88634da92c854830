import Foundation
import Tensors

/// Predictor-corrector multistep sampling (UniPC, Zhao et al. 2023) along the straight paths of flow matching:
/// x = (1 - sigma) x0 + sigma n, and the model predicts n - x0.
///
/// A step first corrects the sample that the last step predicted, now that the model has been asked about it, then
/// predicts the next from the corrected one. Both look back on the latest predictions of x0.
package struct UniPCScheduler: Scheduler {
  /// Share of noise before each step, and 0 for the end.
  package let sigmas: [Float]
  /// Whole numbers: the model is told training timesteps, rounded down.
  package let timesteps: [Double]
  private let configuration: UniPCConfiguration

  package init(_ configuration: UniPCConfiguration, steps: Int) throws(SchedulerFailure) {
    let limit = configuration.trainingTimesteps
    try SchedulerFailure.checkStepCount(steps, limit: limit)
    let shift = configuration.shift
    // Evenly spaced up to what the first training timestep keeps of the signal, the noiseless start left out.
    let shares = evenlySpaced(from: 1, to: 1 / Double(limit), steps + 1).dropFirst().map { 1 - $0 }
    let shifted = shares.map { shift * $0 / (1 + (shift - 1) * $0) }.reversed()
    sigmas = shifted.map { Float($0) } + [0]
    timesteps = shifted.map { ($0 * Double(limit)).rounded(.towardZero) }
    self.configuration = configuration
  }

  /// Draws no noise.
  package func step(
    _ state: inout SchedulerState, modelOutput: Tensor, sample: Tensor, noise: () throws -> Tensor
  ) rethrows -> Tensor {
    let step = state.step
    let original = Tensor.combined(sample, 1, modelOutput, -sigmas[step])
    var corrected = sample
    if step > 0, let start = state.start, !configuration.uncorrectedSteps.contains(step - 1) {
      corrected = advanced(start, by: step - 1, state.originals, endOriginal: original)
    }
    state.originals = Array((state.originals + [original]).suffix(configuration.solverOrder))
    state.start = corrected
    state.step += 1
    return advanced(corrected, by: step, state.originals, endOriginal: nil)
  }

  /// Number of predictions that a step looks at: fewer where there is no more history, or little way to go.
  private func order(of step: Int) -> Int {
    let rest = configuration.lowersFinalOrder ? sigmas.count - 1 - step : configuration.solverOrder
    return min(configuration.solverOrder, rest, step + 1)
  }

  /// The sample after a step:
  /// (sigma' / sigma) x - a' phi m0 - a' B (sum of rho_k (m_k - m0) / r_k + rho (m' - m0)), a' = 1 - sigma',
  /// where m_k are predictions of x0, newest first, and the last term exists for the corrector only.
  ///
  /// - Parameters:
  ///   - originals: predictions of x0 up to the one at the start of the step, newest last.
  ///   - endOriginal: the prediction at the end of the step, m', if it is known already.
  private func advanced(_ start: Tensor, by step: Int, _ originals: [Tensor], endOriginal: Tensor?) -> Tensor {
    let newest = originals[originals.count - 1]
    // The limit of the formula where no noise is left.
    guard sigmas[step + 1] > 0 else { return newest }
    let order = min(order(of: step), originals.count)
    let end = Double(sigmas[step + 1])
    let distance = halfLogSNR(step + 1) - halfLogSNR(step)
    let ratios = (1..<order).map { (halfLogSNR(step - $0) - halfLogSNR(step)) / distance }
    let growth = expm1(-distance)
    let scale = (1 - end) * (configuration.solverKind == .bh1 ? -distance : growth)
    let weights = differenceWeights(ratios, distance: distance, isCorrector: endOriginal != nil)

    var newestFactor = -(1 - end) * growth
    var terms: [(Tensor, Double)] = []
    for (index, ratio) in ratios.enumerated() {
      let factor = -scale * weights[index] / ratio
      newestFactor -= factor
      terms.append((originals[originals.count - 2 - index], factor))
    }
    if let endOriginal {
      let factor = -scale * weights[order - 1]
      newestFactor -= factor
      terms.append((endOriginal, factor))
    }
    let first = Tensor.combined(start, Float(end / Double(sigmas[step])), newest, Float(newestFactor))
    return terms.reduce(first) { .combined($0, 1, $1.0, Float($1.1)) }
  }

  /// log((1 - sigma) / sigma) before a step.
  private func halfLogSNR(_ step: Int) -> Double { log(1 - Double(sigmas[step])) - log(Double(sigmas[step])) }

  /// The weights rho of the differences: for the predictor one less than the order, for the corrector as many.
  private func differenceWeights(_ ratios: [Double], distance: Double, isCorrector: Bool) -> [Double] {
    let count = ratios.count + (isCorrector ? 1 : 0)
    // The lowest order of either is fixed, as published.
    if count <= 1 { return Array(repeating: 0.5, count: count) }
    let nodes = isCorrector ? ratios + [1] : ratios
    let growth = expm1(-distance)
    let scale = configuration.solverKind == .bh1 ? -distance : growth
    var phi = growth / -distance - 1
    var factorial = 1.0
    var (rows, right): ([[Double]], [Double]) = ([], [])
    for power in 0..<count {
      rows.append(nodes.map { pow($0, Double(power)) })
      right.append(phi * factorial / scale)
      factorial *= Double(power + 2)
      phi = phi / -distance - 1 / factorial
    }
    return solution(of: rows, right)
  }
}

/// Solves a small system of linear equations by Gaussian elimination with the largest pivot of each column.
private func solution(of rows: [[Double]], _ right: [Double]) -> [Double] {
  var rows = zip(rows, right).map { $0 + [$1] }
  let count = rows.count
  for column in 0..<count {
    let pivot = (column..<count).max { abs(rows[$0][column]) < abs(rows[$1][column]) } ?? column
    rows.swapAt(column, pivot)
    for row in 0..<count where row != column {
      let factor = rows[row][column] / rows[column][column]
      for index in column...count { rows[row][index] -= factor * rows[column][index] }
    }
  }
  return rows.indices.map { rows[$0][count] / rows[$0][$0] }
}
