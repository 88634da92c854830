import Compute
import Foundation
import Tensors

/// Sinusoidal embedding of timesteps: [cos(t f), sin(t f)], f_k = 10000^(-k / half), in float32 as published.
///
/// - Returns: `[timesteps, width]`.
package func sinusoidalEmbedding(
  _ timesteps: [Float], width: Int, isCosineFirst: Bool = true, frequencyShift: Float = 0
) -> Tensor {
  let half = width / 2
  let exponents = (0..<half).map { -Float(log(10000.0)) * Float($0) / (Float(half) - frequencyShift) }
  let frequencies = exponents.map { Foundation.exp($0) }
  return Tensor(
    timesteps.flatMap { timestep in
      let angles = frequencies.map { timestep * $0 }
      let (cosines, sines) = (angles.map { Foundation.cos($0) }, angles.map { Foundation.sin($0) })
      let padding = width % 2 == 1 ? [Float(0)] : []
      return (isCosineFirst ? cosines + sines : sines + cosines) + padding
    }, shape: [timesteps.count, width])
}

/// Linear, activation, linear: takes the embedding of a timestep or of a caption to a model's width.
package struct EmbeddingProjection: Sendable {
  private let first: Linear
  private let second: Linear
  private let activation: Activation

  /// Keys: `linear_1.*` `[outputs, inputs]`, `linear_2.*` `[outputs, outputs]`.
  package init(_ scope: ParameterScope, inputs: Int, outputs: Int, activation: Activation = .silu) {
    first = Linear(scope("linear_1"), inputs: inputs, outputs: outputs)
    second = Linear(scope("linear_2"), inputs: outputs, outputs: outputs)
    self.activation = activation
  }

  /// `[..., inputs]` to `[..., outputs]`.
  package func callAsFunction(_ embedding: Tensor) -> Tensor { second(first(embedding, activation)) }
}
