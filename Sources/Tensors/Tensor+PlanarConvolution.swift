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
    let taps = PlanarTaps(
      height: weight.shape[2], width: weight.shape[3], stride: stride, top: weight.shape[2] / 2,
      left: weight.shape[3] / 2)
    let (height, width) = ((shape[1] + stride - 1) / stride, (shape[2] + stride - 1) / stride)
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
