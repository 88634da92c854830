import Compute

/// What happens to each pixel before a convolution: normalisation, then activation.
///
/// Convolutions apply it while they read, so the normalised clip never exists.
package struct PixelTransform: Sendable {
  package enum Norm: Sendable {
    /// (x scale + offset) factor + addend.
    case affine(ChannelMap, PixelModulation?)
    /// x / sqrt(mean over channels of x^2 + epsilon) weight; the weight is `[C]`.
    case rms(weight: Tensor, epsilon: Float)
  }

  package let norm: Norm
  package let activation: Activation

  package init(_ norm: Norm, activation: Activation) {
    self.norm = norm
    self.activation = activation
  }

  package init(_ channels: ChannelMap, modulation: PixelModulation? = nil, activation: Activation) {
    self.init(.affine(channels, modulation), activation: activation)
  }

  /// Whether a gradient is to flow back through the norm.
  var isRecorded: Bool {
    switch norm {
    case .affine(let map, let modulation):
      [map.scale, map.offset, modulation?.factors, modulation?.addends].contains { $0?.isRecorded == true }
    case .rms(let weight, _): weight.isRecorded
    }
  }
}

/// A factor and an addend per pixel, at a lower resolution and read by nearest pixel.
package struct PixelModulation: Sendable {
  /// `[f, h, w, C]`
  package let factors: Tensor
  /// `[f, h, w, C]`
  package let addends: Tensor
  /// The index on the axis f that belongs to each frame of the clip.
  package let frames: [Int]

  package init(factors: Tensor, addends: Tensor, frames: [Int]) {
    precondition(factors.shape == addends.shape && factors.rank == 4, "modulation \(factors.shape), \(addends.shape)")
    self.factors = factors
    self.addends = addends
    self.frames = frames
  }
}

// Clips are channels-last here: `[F, H, W, C]`, one sample.
extension Tensor {
  /// Causal convolution: frame t reads frames t - 2, t - 1 and t, planes are padded by one zero pixel.
  ///
  /// - Parameters:
  ///   - weight: `[outputs, C, 3, 3, 3]`, taps in the order time, height, width.
  ///   - bias: `[outputs]`.
  ///   - transform: applied to the pixels of this clip, not to the padding and not to `previous`.
  ///   - previous: the two frames before the first, transformed, `[2, H, W, C]`.
  ///   - padding: what stands for them if they are not given.
  /// - Returns: `[F, H, W, outputs]`.
  package func convolvedCausally(
    _ weight: Tensor, bias: Tensor, transform: PixelTransform? = nil, previous: Tensor? = nil,
    padding: TemporalPadding = .firstFrame
  ) -> Tensor {
    if let transform, isRecorded(among: [weight, bias, previous], transform) {
      // The transform's own pull-back needs the clip between.
      return transformed(transform).convolvedCausally(weight, bias: bias, previous: previous, padding: padding)
    }
    return Tensor([shape[0], shape[1], shape[2], weight.shape[0]]) { output in
      convolveCausally(weight, bias, transform, previous, padding, adding: nil, into: output)
    }
    .recordedCausalConvolution(of: self, weight, bias: bias, previous: previous, padding: padding)
  }

  /// Whether a gradient is to flow back to this clip, one of `tensors`, or the transform.
  func isRecorded(among tensors: [Tensor?], _ transform: PixelTransform? = nil) -> Bool {
    isRecorded || transform?.isRecorded == true || tensors.contains { $0?.isRecorded == true }
  }

  /// Adds the causal convolution of `clip` to this tensor, in place if no other tensor shares its storage.
  ///
  /// - Parameter clip: `[F, H, W, C]`; this tensor is `[F, H, W, outputs]`.
  package mutating func addCausalConvolution(
    of clip: Tensor, _ weight: Tensor, bias: Tensor, transform: PixelTransform? = nil, previous: Tensor? = nil,
    padding: TemporalPadding = .firstFrame
  ) {
    let result = Shape([clip.shape[0], clip.shape[1], clip.shape[2], weight.shape[0]])
    precondition(shape == result, "addition of a convolution \(result) to \(shape)")
    if isRecorded(among: [clip, weight, bias, previous], transform) {
      self =
        self
        + clip.convolvedCausally(weight, bias: bias, transform: transform, previous: previous, padding: padding)
    } else if isKnownUniquelyReferenced(&storage), !storage.isMapped, layout.isDense, dtype == .float32 {
      // A storage that is not mapped has an address.
      let start = storage.bytes.baseAddress!.assumingMemoryBound(to: Float.self) + layout.offset
      clip.convolveCausally(weight, bias, transform, previous, padding, adding: start, into: start)
    } else {
      let residual = self
      self = Tensor(result) { output in
        residual.withFloats {
          clip.convolveCausally(weight, bias, transform, previous, padding, adding: $0, into: output)
        }
      }
    }
  }

  private func convolveCausally(
    _ weight: Tensor, _ bias: Tensor, _ transform: PixelTransform?, _ previous: Tensor?,
    _ padding: TemporalPadding, adding residual: UnsafePointer<Float>?, into output: UnsafeMutablePointer<Float>
  ) {
    precondition(
      rank == 4 && weight.shape.extents.dropFirst() == [shape[3], 3, 3, 3],
      "causal convolution of \(shape) with \(weight.shape)")
    withReader(transform, previous, padding) { reader in
      weight.withConvolutionWeight(bias) { ConvolutionKernel.causal(reader, $0, residual: residual, output) }
    }
  }

  /// The last two frames of this clip after `transform`, preceded by `previous` where the clip is shorter: what the
  /// causal convolution of the frames to come needs as `previous`.
  ///
  /// - Returns: `[2, H, W, C]`.
  package func lastFrames(
    transform: PixelTransform? = nil, previous: Tensor? = nil, padding: TemporalPadding = .firstFrame
  ) -> Tensor {
    let (frames, height, width, channels) = (shape[0], shape[1], shape[2], shape[3])
    if isRecorded(among: [previous], transform) {
      let clip = transform.map { transformed($0) } ?? self
      if frames > 1 { return clip.sliced(0, frames - 2..<frames).dense() }
      let before = previous?.sliced(0, 1..<2) ?? (padding == .firstFrame ? clip : .zeros(shape))
      return .concatenated([before, clip], axis: 0)
    }
    return Tensor([2, height, width, channels]) { output in
      withReader(transform, previous, padding) { reader in
        nonisolated(unsafe) let (reader, output) = (reader, output)
        Workers.forEach(2 * height) { line in
          reader.read(
            frame: frames - 2 + line / height, rows: line % height..<line % height + 1, columns: 0..<width,
            into: output + line * width * channels)
        }
      }
    }
  }

  /// This clip after `transform`.
  package func transformed(_ transform: PixelTransform) -> Tensor {
    if isRecorded(among: [], transform) {
      let normed = normalized(transform.norm)
      return transform.activation == .identity ? normed : normed.activated(transform.activation)
    }
    let (height, width, channels) = (shape[1], shape[2], shape[3])
    return Tensor(shape) { output in
      withReader(transform, nil) { reader in
        nonisolated(unsafe) let (reader, output) = (reader, output)
        Workers.forEach(shape[0] * height) { line in
          reader.read(
            frame: line / height, rows: line % height..<line % height + 1, columns: 0..<width,
            into: output + line * width * channels)
        }
      }
    }
  }

  /// Upsamples each frame by 2, nearest, then convolves it, padded by one zero pixel.
  ///
  /// - Parameters:
  ///   - weight: `[outputs, C, 3, 3]`. - bias: `[outputs]`.
  ///   - copies: for each frame, the frames of the result that show it; together all of the result.
  /// - Returns: `[result frames, 2 H, 2 W, outputs]`.
  package func convolvedUpsampling(_ weight: Tensor, bias: Tensor, copies: [Range<Int>]) -> Tensor {
    precondition(
      rank == 4 && weight.shape.extents.dropFirst() == [shape[3], 3, 3] && copies.count == shape[0],
      "upsampling convolution of \(shape) with \(weight.shape)")
    let frames = copies.reduce(0) { $0 + $1.count }
    return Tensor([frames, 2 * shape[1], 2 * shape[2], weight.shape[0]]) { output in
      withReader(nil, nil) { reader in
        weight.withConvolutionWeight(bias) { ConvolutionKernel.upsampling(reader, $0, copies: copies, output) }
      }
    }
    .recordedUpsampling(of: self, weight, bias: bias, copies: copies)
  }

  /// Averages frames, then convolves each plane with stride 2, padded by one zero pixel at the right and the bottom.
  ///
  /// - Parameters:
  ///   - weight: `[outputs, C, 3, 3]`. - bias: `[outputs]`.
  ///   - pools: for each frame of the result, the frames it is the mean of.
  /// - Returns: `[pools, H / 2, W / 2, outputs]`, extents rounded down.
  package func convolvedDownsampling(_ weight: Tensor, bias: Tensor, pools: [Range<Int>]) -> Tensor {
    precondition(
      rank == 4 && weight.shape.extents.dropFirst() == [shape[3], 3, 3], "downsampling of \(shape) with \(weight.shape)"
    )
    if isRecorded(among: [weight, bias]), pools != (0..<shape[0]).map({ $0..<$0 + 1 }) {
      let averaged = averagedFrames(pools)
      return averaged.convolvedDownsampling(weight, bias: bias, pools: pools.indices.map { $0..<$0 + 1 })
    }
    let (height, width) = (shape[1] / 2, shape[2] / 2)
    let taps = PlanarTaps(height: 3, width: 3, stride: 2, top: 0, left: 0)
    return Tensor([pools.count, height, width, weight.shape[0]]) { output in
      withReader(nil, nil) { reader in
        weight.withConvolutionWeight(bias) {
          ConvolutionKernel.planar(
            reader, $0, taps, pools: pools, height: height, width: width, .activation(.identity), output)
        }
      }
    }
    .recordedConvolution(of: self, weight, bias: bias, taps)
  }

  func withReader(
    _ transform: PixelTransform?, _ previous: Tensor?, _ padding: TemporalPadding = .firstFrame,
    _ body: (PixelReader) -> Void
  ) {
    let (frames, height, width, channels) = (shape[0], shape[1], shape[2], shape[3])
    precondition(
      previous.map { $0.shape == [2, height, width, channels] } ?? true,
      "previous frames \(String(describing: previous?.shape)) of a clip \(shape)")
    Tensor.withPointers([self, previous]) { pointers in
      func read(_ map: PixelMap?) {
        body(
          PixelReader(
            frames: pointers[0]!, frameCount: frames, height: height, width: width, channels: channels,
            previous: pointers[1], padding: padding, map: map))
      }
      guard let transform else { return read(nil) }
      switch transform.norm {
      case .affine(let map, let modulation):
        precondition(
          modulation.map { $0.frames.count == frames && $0.factors.shape[3] == channels } ?? true,
          "modulation \(String(describing: modulation?.factors.shape)) of a clip \(shape)")
        Tensor.withPointers([map.scale, map.offset, modulation?.factors, modulation?.addends]) { pointers in
          // Scale and offset are present.
          let modulation = modulation.map { modulation in
            PixelMap.Modulation(
              factors: pointers[2]!, addends: pointers[3]!, height: modulation.factors.shape[1],
              width: modulation.factors.shape[2], frames: modulation.frames)
          }
          read(
            PixelMap(
              norm: .affine(scale: pointers[0]!, offset: pointers[1]!, modulation: modulation),
              activation: transform.activation))
        }
      case .rms(let weight, let epsilon):
        precondition(weight.count == channels, "RMS norm of \(shape) with weight \(weight.shape)")
        weight.withFloats {
          read(PixelMap(norm: .rms(weight: $0, epsilon: epsilon), activation: transform.activation))
        }
      }
    }
  }

  func withConvolutionWeight(_ bias: Tensor?, _ body: (ConvolutionWeight) -> Void) {
    let (outputs, taps) = (shape[0], shape.extents.dropFirst(2).reduce(1, *))
    precondition(bias?.count ?? outputs == outputs, "bias \(String(describing: bias?.shape)) of a convolution \(shape)")
    let view = layout.isDense ? self : gathered()
    let start = UnsafeRawPointer(view.storage.bytes.baseAddress!) + view.layout.offset * dtype.byteCount
    withExtendedLifetime(view) {
      Tensor.withPointers([bias]) { pointers in
        body(
          ConvolutionWeight(
            matrix: StoredMatrix(start: start, dtype: dtype, rows: outputs, columns: count / outputs), taps: taps,
            bias: pointers[0]))
      }
    }
  }
}
