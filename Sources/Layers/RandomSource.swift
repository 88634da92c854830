import Compute
import Tensors

/// Seeded values for models without a checkpoint: normal weights scaled by the inverse root of the fan-in, norms near
/// one, small biases. A key's values depend on the seed and the key alone, not on the order of construction.
package struct RandomSource: ParameterSource {
  private let seed: UInt64
  private let dtype: DType

  package init(seed: UInt64, dtype: DType = .float32) {
    self.seed = seed
    self.dtype = dtype
  }

  package var keys: [String] { [] }
  package var description: String { "random weights (seed \(seed))" }

  package func tensor(_ key: String, _ shape: Shape) -> Tensor? {
    var generator = RandomGenerator(seed: seed, name: key)
    let values = Tensor.normal(shape, from: &generator)
    let fanIn = shape.extents.dropFirst().reduce(1, *)
    let isNormWeight = shape.rank == 1 && key.hasSuffix("weight")
    let scaled =
      shape.rank > 1
      ? values.scaled(by: 1 / Float(max(fanIn, 1)).squareRoot())
      : values.scaled(by: 0.05, adding: isNormWeight ? 1 : 0)
    return scaled.stored(as: dtype)
  }
}
