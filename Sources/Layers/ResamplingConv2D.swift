import Tensors

/// A convolution with 3 x 3 taps over each frame of a clip `[F, H, W, C]` that changes the resolution.
package struct ResamplingConv2D: Sendable {
  private let weight: Parameter
  private let bias: Parameter

  /// Keys: `weight` `[outputs, inputs, 3, 3]`, `bias` `[outputs]`.
  package init(_ scope: ParameterScope, inputs: Int, outputs: Int) {
    weight = scope.parameter("weight", [outputs, inputs, 3, 3])
    bias = scope.parameter("bias", [outputs], initially: .uniform(fanIn: 9 * inputs))
  }

  /// Doubles height and width by nearest pixel before the convolution.
  ///
  /// - Parameter copies: for each frame, the frames of the result that show it.
  package func upsampling(_ clip: Tensor, copies: [Range<Int>]) -> Tensor {
    clip.convolvedUpsampling(weight.tensor, bias: bias.tensor, copies: copies)
  }

  /// Halves height and width, rounded down, by a stride of 2; zero padding at the right and the bottom only.
  ///
  /// - Parameter pools: for each frame of the result, the frames it is the mean of.
  package func downsampling(_ clip: Tensor, pools: [Range<Int>]) -> Tensor {
    clip.convolvedDownsampling(weight.tensor, bias: bias.tensor, pools: pools)
  }
}
