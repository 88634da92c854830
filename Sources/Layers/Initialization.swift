import Compute
import Tensors

/// How a parameter starts where no checkpoint gives its values: PyTorch's default for its kind of layer.
package enum Initialization: Sendable {
  case zeros
  case ones
  /// Uniform within 1 / sqrt(fanIn) of zero: weights and biases of linear maps and convolutions.
  case uniform(fanIn: Int)
  /// Normal around zero: tables that are learned.
  case normal(deviation: Float)
  /// Values that are computed: tables of positions.
  case values(@Sendable () -> Tensor)

  /// What a key and shape say of a parameter: `[outputs, inputs, taps...]` is a map's weight, a vector belongs to a norm.
  static func usual(_ key: String, _ shape: Shape) -> Initialization {
    if shape.rank > 1 { return .uniform(fanIn: shape.extents.dropFirst().reduce(1, *)) }
    return key.hasSuffix("bias") ? .zeros : .ones
  }

  /// Values of this kind from `generator`.
  func tensor(_ shape: Shape, from generator: inout RandomGenerator) -> Tensor {
    switch self {
    case .zeros: .zeros(shape)
    case .ones: .filled(shape, with: 1)
    case .uniform(let fanIn): .uniform(shape, within: 1 / Float(max(fanIn, 1)).squareRoot(), from: &generator)
    case .normal(let deviation): Tensor.normal(shape, from: &generator).scaled(by: deviation)
    case .values(let make): make()
    }
  }
}

/// Fresh values for a model that starts from its configuration alone. A key's values depend on the seed and the key, not
/// on the order of construction.
package struct FreshSource: ParameterSource {
  private let seed: UInt64

  package init(seed: UInt64) { self.seed = seed }

  package var keys: [String] { [] }
  package var description: String { "fresh weights (seed \(seed))" }

  package func tensor(_ key: String, _ shape: Shape) throws -> Tensor? {
    try tensor(key, shape, initially: .usual(key, shape))
  }

  package func tensor(_ key: String, _ shape: Shape, initially: Initialization) throws -> Tensor? {
    var generator = RandomGenerator(seed: seed, name: key)
    return initially.tensor(shape, from: &generator)
  }
}
