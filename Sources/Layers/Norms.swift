import Tensors

/// Layer normalisation over the last axis, with or without learned weight and bias.
package struct LayerNorm: Sendable {
  private let weight: Parameter?
  private let bias: Parameter?
  private let epsilon: Float

  /// Keys: `weight`, `bias`, `[width]` each.
  package init(_ scope: ParameterScope, width: Int, epsilon: Float, isAffine: Bool = true) {
    weight = isAffine ? scope.parameter("weight", [width]) : nil
    bias = isAffine ? scope.parameter("bias", [width]) : nil
    self.epsilon = epsilon
  }

  /// Normalises `[..., width]`, then modulates regions of tokens.
  package func callAsFunction(_ input: Tensor, _ modulations: [Modulation] = []) -> Tensor {
    input.layerNormalized(weight: weight?.tensor, bias: bias?.tensor, epsilon: epsilon, modulations: modulations)
  }
}

/// Layer normalisation of each attention head.
package struct HeadLayerNorm: Sendable {
  private let weight: Parameter
  private let bias: Parameter
  private let epsilon: Float

  /// Keys: `weight`, `bias`, `[headSize]` each.
  package init(_ scope: ParameterScope, headSize: Int, epsilon: Float) {
    weight = scope.parameter("weight", [headSize])
    bias = scope.parameter("bias", [headSize])
    self.epsilon = epsilon
  }

  package var norm: HeadNorm { HeadNorm(weight: weight.tensor, bias: bias.tensor, epsilon: epsilon) }
}

/// Root-mean-square normalisation over the last axis, with learned weight.
package struct RMSNorm: Sendable {
  private let weight: Parameter
  private let epsilon: Float

  /// Key: `weight` `[width]`.
  package init(_ scope: ParameterScope, width: Int, epsilon: Float) {
    weight = scope.parameter("weight", [width])
    self.epsilon = epsilon
  }

  package func callAsFunction(_ input: Tensor) -> Tensor {
    input.rmsNormalized(weight: weight.tensor, epsilon: epsilon)
  }
}
