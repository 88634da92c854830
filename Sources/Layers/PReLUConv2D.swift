import Compute
import Tensors

/// A convolution whose negative results are scaled by a learned slope per channel.
package struct PReLUConv2D: Sendable {
  private let conv: Conv2D
  private let slopes: Parameter

  /// Keys: `0.*` of a `Conv2D`, `1.weight` `[outputs]`: the slopes.
  package init(_ scope: ParameterScope, inputs: Int, outputs: Int, stride: Int = 1) {
    conv = Conv2D(scope(0), inputs: inputs, outputs: outputs, stride: stride)
    slopes = scope(1).parameter("weight", [outputs])
  }

  package func callAsFunction(_ clip: Tensor) -> Tensor { conv(clip, slopes: slopes.tensor) }
}
