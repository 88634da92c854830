import Compute
import Tensors

/// A convolution of each frame of a clip `[F, H, W, C]`, padded so that a stride of 1 keeps the size.
package struct Conv2D: Sendable {
  private let weight: Parameter
  private let bias: Parameter
  private let stride: Int

  /// Keys: `weight` `[outputs, inputs, height, width]`, `bias` `[outputs]`.
  ///
  /// - Parameters height, width: taps, odd numbers.
  package init(_ scope: ParameterScope, inputs: Int, outputs: Int, height: Int = 3, width: Int = 3, stride: Int = 1) {
    weight = scope.parameter("weight", [outputs, inputs, height, width])
    bias = scope.parameter("bias", [outputs], initially: .uniform(fanIn: height * width * inputs))
    self.stride = stride
  }

  /// - Parameters:
  ///   - transform: applied to the pixels of `clip` as they are read.
  ///   - residual: `[F, H / stride, W / stride, outputs]`, added before the activation.
  ///   - slopes: `[outputs]`: factors of negative results, in place of `activation`.
  /// - Returns: `[F, H / stride, W / stride, outputs]`, extents rounded up.
  package func callAsFunction(
    _ clip: Tensor, transform: PixelTransform? = nil, adding residual: Tensor? = nil,
    activation: Activation = .identity, slopes: Tensor? = nil
  ) -> Tensor {
    let isLinear = stride == 1 && weight.shape[2] == 1 && weight.shape[3] == 1
    if isLinear, transform == nil, residual == nil, slopes == nil {
      return clip.linear(weight.tensor.reshaped([weight.shape[0], weight.shape[1]]), bias: bias.tensor, activation)
    }
    return clip.convolved(
      weight.tensor, bias: bias.tensor, stride: stride, transform: transform, adding: residual,
      activation: activation, slopes: slopes)
  }
}
