import Compute

// Clips are channels-last here: `[F, H, W, C]`.
extension Tensor {
  /// Convolves each frame by itself, padded by zero pixels on all sides so that a stride of 1 keeps the size.
  ///
  /// - Parameters:
  ///   - weight: `[outputs, C, h, w]`, h and w odd. - bias: `[outputs]`, or nil for zeros.
  ///   - transform: applied to the pixels of this clip, not to the padding.
  ///   - residual: `[F, H / stride, W / stride, outputs]`, added before the activation.
  ///   - slopes: `[outputs]`: factors of negative results, in place of `activation`.
  /// - Returns: `[F, H / stride, W / stride, outputs]`, extents rounded up.
  package func convolved(
    _ weight: Tensor, bias: Tensor?, stride: Int = 1, transform: PixelTransform? = nil,
    adding residual: Tensor? = nil, activation: Activation = .identity, slopes: Tensor? = nil
  ) -> Tensor {
    precondition(
      rank == 4 && weight.rank == 4 && weight.shape[1] == shape[3] && weight.shape[2] % 2 == 1
        && weight.shape[3] % 2 == 1 && slopes?.count ?? weight.shape[0] == weight.shape[0],
      "convolution of \(shape) with \(weight.shape) and slopes \(String(describing: slopes?.shape))")
    if isRecorded(among: [weight, bias, residual, slopes], transform) {
      return recordedConvolution(weight, bias, stride, transform, residual, activation, slopes)
    }
    return convolvedPlanar(
      weight, bias, .same(weight.shape, stride: stride), transform, residual, activation, slopes)
  }

  /// The same as operations with a pull-back each: transform, convolution, addition, activation.
  private func recordedConvolution(
    _ weight: Tensor, _ bias: Tensor?, _ stride: Int, _ transform: PixelTransform?, _ residual: Tensor?,
    _ activation: Activation, _ slopes: Tensor?
  ) -> Tensor {
    precondition(slopes == nil, "convolution with slopes of negative results has no backward pass")
    let input = transform.map { transformed($0) } ?? self
    let taps = PlanarTaps.same(weight.shape, stride: stride)
    let sums = input.convolvedPlanar(weight, bias, taps).recordedConvolution(of: input, weight, bias: bias, taps)
    let result = residual.map { sums + $0 } ?? sums
    return activation == .identity ? result : result.activated(activation)
  }

  private func convolvedPlanar(
    _ weight: Tensor, _ bias: Tensor?, _ taps: PlanarTaps, _ transform: PixelTransform? = nil,
    _ residual: Tensor? = nil, _ activation: Activation = .identity, _ slopes: Tensor? = nil
  ) -> Tensor {
    let (height, width) = ((shape[1] + taps.stride - 1) / taps.stride, (shape[2] + taps.stride - 1) / taps.stride)
    let result = Shape([shape[0], height, width, weight.shape[0]])
    precondition(residual.map { $0.shape == result } ?? true, "residual of another shape than \(result)")
    return Tensor(result) { output in
      withReader(transform, nil) { reader in
        Tensor.withPointers([slopes, residual]) { pointers in
          weight.withConvolutionWeight(bias) {
            ConvolutionKernel.planar(
              reader, $0, taps, pools: (0..<shape[0]).map { $0..<$0 + 1 }, height: height, width: width,
              residual: pointers[1], pointers[0].map { .slopes($0) } ?? .activation(activation), output)
          }
        }
      }
    }
  }
}

extension PlanarTaps {
  /// The taps of a weight `[outputs, C, h, w]`, padded so that a stride of 1 keeps the size.
  fileprivate static func same(_ weight: Shape, stride: Int) -> PlanarTaps {
    PlanarTaps(height: weight[2], width: weight[3], stride: stride, top: weight[2] / 2, left: weight[3] / 2)
  }
}
