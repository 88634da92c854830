import Compute
import Tensors

/// A transposed convolution with 4 x 4 taps and stride 2 that doubles height and width of a clip `[F, H, W, C]`.
///
/// Each pixel of the result depends on 2 x 2 pixels of the clip, and which taps it uses depends on whether its row and
/// column are even. So the layer is computed as a convolution with 3 x 3 taps (some zero) that gives the four pixels of
/// each place side by side, which Winograd's filtering makes as cheap as the taps that are not zero.
package struct TransposedConv2D: Sendable {
  /// `[4 outputs, inputs, 3, 3]`: even and odd rows slowest, then even and odd columns.
  private let weight: Tensor
  private let bias: Tensor
  private let outputs: Int

  /// Keys: `weight` `[inputs, outputs, 4, 4]`, `bias` `[outputs]`.
  package init(_ scope: ParameterScope, inputs: Int, outputs: Int) {
    let (kernel, offsets) = (scope.parameter("weight", [inputs, outputs, 4, 4]), scope.parameter("bias", [outputs]))
    precondition(!kernel.isTrainable && !offsets.isTrainable, "transposed convolution has no backward pass")
    let (stored, bias) = (kernel.tensor.floats(), offsets.tensor.floats())
    // The tap of the layer that pixel 2 m + parity takes from pixel m + offset - 1.
    let taps: [[Int?]] = [[3, 1, nil], [nil, 2, 0]]
    var values = [Float](repeating: 0, count: 4 * outputs * inputs * 9)
    for phase in 0..<4 {
      for output in 0..<outputs {
        for input in 0..<inputs {
          for place in 0..<9 {
            guard let row = taps[phase / 2][place / 3], let column = taps[phase % 2][place % 3] else { continue }
            values[((phase * outputs + output) * inputs + input) * 9 + place] =
              stored[((input * outputs) + output) * 16 + row * 4 + column]
          }
        }
      }
    }
    weight = Tensor(values, shape: [4 * outputs, inputs, 3, 3])
    self.bias = Tensor([bias, bias, bias, bias].flatMap { $0 })
    self.outputs = outputs
  }

  /// - Returns: `[F, 2 H, 2 W, outputs]`.
  package func callAsFunction(_ clip: Tensor) -> Tensor {
    let (frames, height, width) = (clip.shape[0], clip.shape[1], clip.shape[2])
    return clip.convolved(weight, bias: bias)  // [F, H, W, 4 outputs]
      .reshaped([frames, height, width, 2, 2, outputs])
      .permuted(0, 1, 3, 2, 4, 5)
      .reshaped([frames, 2 * height, 2 * width, outputs])
  }
}
