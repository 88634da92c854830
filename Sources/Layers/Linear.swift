import Compute
import Tensors

/// y = x weight' + bias.
package struct Linear: Sendable {
  private let weight: Parameter
  private let bias: Parameter?

  /// Keys: `weight` `[outputs, inputs]`, `bias` `[outputs]`.
  package init(_ scope: ParameterScope, inputs: Int, outputs: Int, usesBias: Bool = true) {
    weight = scope.parameter("weight", [outputs, inputs])
    bias = usesBias ? scope.parameter("bias", [outputs]) : nil
  }

  /// `[..., inputs]` to `[..., outputs]`, with `activation` fused in.
  package func callAsFunction(_ input: Tensor, _ activation: Activation = .identity) -> Tensor {
    input.linear(weight.tensor, bias: bias?.tensor, activation)
  }
}
