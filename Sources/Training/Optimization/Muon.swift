import Compute
import Layers
import Synchronization
import Tensors

/// Orthogonalised momentum for matrices (Jordan et al., "Muon", 2024), AdamW for everything else.
///
/// A matrix moves along its momentum with all singular values brought near 1, times 0.2 sqrt(longer side), which gives
/// steps of the size that AdamW's have (Liu et al., "Muon is scalable", 2025). Weights of convolutions are matrices
/// `[outputs, rest]`. Everything is in float32.
package struct Muon: Optimizer {
  package struct Settings: Sendable, Equatable {
    /// Learning rate of matrices over that of the rest.
    package var rateRatio: Double
    /// Share of the old momentum that stays at a step.
    package var momentum: Double
    /// Newton-Schulz iterations.
    package var iterations: Int
    /// Share of a matrix that an update of learning rate 1 takes away.
    package var weightDecay: Double

    package init(rateRatio: Double = 1, momentum: Double = 0.95, iterations: Int = 5, weightDecay: Double = 1e-4) {
      self.rateRatio = rateRatio
      self.momentum = momentum
      self.iterations = iterations
      self.weightDecay = weightDecay
    }
  }

  package let settings: Settings
  private var rest: AdamW
  /// Of the matrices, by their parameters' keys.
  private var moments: [String: Moment] = [:]

  private struct Moment: Sendable {
    var updates = 0
    var tensor: Tensor
  }

  /// - Parameter rest: for parameters that are no matrices.
  package init(_ settings: Settings = Settings(), rest: AdamW.Settings = AdamW.Settings()) {
    self.settings = settings
    self.rest = AdamW(rest)
  }

  package var precision: Precision { .float32 }

  /// Whether a parameter is a matrix in the sense of this rule: the linear maps inside of blocks and the convolutions, but
  /// no embedding, modulation or head, whose rows mean things of their own.
  package static func isMatrix(_ key: String, _ shape: Shape) -> Bool {
    let parts = key.split(separator: ".")
    switch shape.rank {
    case 2: return parts.contains { $0.hasSuffix("blocks") } && !parts.contains { $0.hasPrefix("norm") }
    case 4...: return !key.contains("patch_embed")
    default: return false
    }
  }

  package mutating func prepare(_ parameters: [Parameter]) {
    rest.prepare(parameters)
  }

  package mutating func update(
    _ parameter: Parameter, gradient: Tensor, gradientScale: Float, learningRate: Double
  ) {
    update([(parameter, gradient)], gradientScale: gradientScale, learningRate: learningRate)
  }

  /// Matrices are small beside the machine, so each stays on one thread, and several are updated at a time.
  package mutating func update(
    _ pairs: [(parameter: Parameter, gradient: Tensor)], gradientScale: Float, learningRate: Double
  ) {
    let matrices = pairs.filter { Self.isMatrix($0.parameter.key, $0.parameter.shape) }
    for (parameter, gradient) in pairs where !Self.isMatrix(parameter.key, parameter.shape) {
      rest.update(parameter, gradient: gradient, gradientScale: gradientScale, learningRate: learningRate)
    }
    let old = matrices.map { pair in
      moments.removeValue(forKey: pair.parameter.key) ?? Moment(tensor: .zeros(pair.parameter.shape))
    }
    let updated = Mutex<[String: Moment]>([:])
    let (settings, rate) = (settings, learningRate * settings.rateRatio)
    Workers.forEachTask(matrices.count) { index in
      let (parameter, gradient) = matrices[index]
      var moment = old[index]
      Self.update(parameter, &moment, gradient.scaled(by: gradientScale), settings, rate)
      updated.withLock { $0[parameter.key] = moment }
    }
    moments.merge(updated.withLock { $0 }) { $1 }
  }

  private static func update(
    _ parameter: Parameter, _ moment: inout Moment, _ gradient: Tensor, _ settings: Settings, _ rate: Double
  ) {
    let kept = Float(settings.momentum)
    moment.updates += 1
    moment.tensor = .combined(moment.tensor, kept, gradient, 1 - kept)
    // Nesterov's look ahead.
    let direction = orthogonalized(
      .combined(moment.tensor, kept, gradient, 1 - kept), iterations: settings.iterations)
    let (rows, columns) = sides(parameter.shape)
    let step = Float(rate * 0.2 * Double(max(rows, columns)).squareRoot())
    parameter.update(
      to: .combined(parameter.tensor.detached, Float(1 - rate * settings.weightDecay), direction, -step))
  }

  private static func sides(_ shape: Shape) -> (rows: Int, columns: Int) { (shape[0], shape.count / shape[0]) }

  /// A matrix of this shape with the same singular vectors, and singular values near 1.
  package static func orthogonalized(_ tensor: Tensor, iterations: Int) -> Tensor {
    let (rows, columns) = sides(tensor.shape)
    let matrix = tensor.reshaped([rows, columns])
    let isTall = rows > columns
    var wide = isTall ? matrix.transposed(0, 1).gathered() : matrix
    wide.withMutableFloats {
      OrthogonalizationKernel.apply(
        $0, rows: min(rows, columns), columns: max(rows, columns), iterations: iterations)
    }
    return (isTall ? wide.transposed(0, 1).gathered() : wide).reshaped(tensor.shape)
  }
}

// MARK: - Saving and resuming

extension Muon {
  private static let prefix = "momentum."

  package var state: OptimizerState {
    var state = rest.state
    for (key, moment) in moments {
      state.updates[key] = moment.updates
      state.tensors[Self.prefix + key] = moment.tensor
    }
    return state
  }

  package mutating func restore(_ state: OptimizerState, for parameters: [Parameter], path: String) throws {
    var others = state
    moments = [:]
    for parameter in parameters where Self.isMatrix(parameter.key, parameter.shape) {
      let name = Self.prefix + parameter.key
      guard let updates = others.updates.removeValue(forKey: parameter.key) else { continue }
      guard let tensor = others.tensors.removeValue(forKey: name), tensor.shape == parameter.shape,
        tensor.dtype == .float32, updates >= 0
      else { throw CheckpointFailure.optimizerTensor(path: path, name: name) }
      moments[parameter.key] = Moment(updates: updates, tensor: tensor)
    }
    try rest.restore(others, for: parameters, path: path)
  }
}
