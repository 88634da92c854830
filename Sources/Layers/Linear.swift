import Compute
import Tensors

/// y = x weight' + bias, and what adapters add to it.
package struct Linear: Sendable {
  private let weight: Parameter
  private let bias: Parameter?
  private let adapters: [LowRankAdapter]

  /// Keys: `weight` `[outputs, inputs]`, `bias` `[outputs]`.
  ///
  /// - Parameter initially: how weight and bias start without a checkpoint; uniform by the number of inputs if nil.
  package init(
    _ scope: ParameterScope, inputs: Int, outputs: Int, usesBias: Bool = true, initially: Initialization? = nil
  ) {
    weight = scope.parameter("weight", [outputs, inputs], initially: initially)
    bias = usesBias ? scope.parameter("bias", [outputs], initially: initially ?? .uniform(fanIn: inputs)) : nil
    adapters = scope.adapters(inputs: inputs, outputs: outputs)
  }

  /// `[..., inputs]` to `[..., outputs]`, with `activation` fused in.
  package func callAsFunction(_ input: Tensor, _ activation: Activation = .identity) -> Tensor {
    guard !adapters.isEmpty else { return input.linear(weight.tensor, bias: bias?.tensor, activation) }
    let mapped = adapters.reduce(input.linear(weight.tensor, bias: bias?.tensor)) { $0 + $1(input) }
    return activation == .identity ? mapped : mapped.activated(activation)
  }
}
