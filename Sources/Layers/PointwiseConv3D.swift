import Tensors

/// A convolution with one tap: a linear map of each pixel of a clip `[..., C]`.
package struct PointwiseConv3D: Sendable {
  private let weight: Parameter
  private let bias: Parameter

  /// Keys: `weight` `[outputs, inputs, 1, 1, 1]`, `bias` `[outputs]`.
  package init(_ scope: ParameterScope, inputs: Int, outputs: Int) {
    weight = scope.parameter("weight", [outputs, inputs, 1, 1, 1])
    bias = scope.parameter("bias", [outputs], initially: .uniform(fanIn: inputs))
  }

  package func callAsFunction(_ clip: Tensor) -> Tensor {
    clip.linear(weight.tensor.reshaped([weight.shape[0], weight.shape[1]]), bias: bias.tensor)
  }
}
