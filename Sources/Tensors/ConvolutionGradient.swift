import Compute

// The backward passes of convolutions over clips `[F, H, W, C]`, beside Tensor+Convolution and Tensor+PlanarConvolution.
extension Tensor {
  /// Three taps a side over the plane as it is.
  static let planeTaps = PlanarTaps(height: 3, width: 3, stride: 1, top: 1, left: 1)

  /// This clip as the result of a planar convolution of `input`, recorded if one of them is.
  func recordedConvolution(of input: Tensor, _ weight: Tensor, bias: Tensor?, _ taps: PlanarTaps) -> Tensor {
    let (inputNode, weightNode, biasNode) = (input.node, weight.node, bias?.node)
    let keptWeight = inputNode == nil ? nil : weight.detached
    let keptInput = weightNode == nil ? nil : input.detached
    let (inputShape, weightShape) = (input.shape, weight.shape)
    return recorded(from: [input, weight, bias]) { gradient, store in
      if let keptWeight {
        store.add(gradient.convolutionInputGradient(keptWeight, taps, of: inputShape), to: inputNode)
      }
      if let keptInput {
        store.add(
          keptInput.convolutionWeightGradient(gradient, timeTaps: 1, taps).reshaped(weightShape), to: weightNode)
      }
      store.add(gradient.channelSums(), to: biasNode)
    }
  }

  /// This clip as the result of a causal convolution of `input`, recorded if one of them is.
  func recordedCausalConvolution(
    of input: Tensor, _ weight: Tensor, bias: Tensor, previous: Tensor?, padding: TemporalPadding
  ) -> Tensor {
    let (inputNode, weightNode, biasNode, previousNode) = (input.node, weight.node, bias.node, previous?.node)
    let keptWeight = inputNode == nil && previousNode == nil ? nil : weight.detached
    let keptInput = weightNode == nil ? nil : (clip: input.detached, previous: previous?.detached)
    let frames = input.shape[0]
    return recorded(from: [input, weight, bias, previous]) { gradient, store in
      if let keptWeight {
        let all = gradient.causalInputGradient(keptWeight)  // [2 + F, H, W, C]
        if inputNode != nil {
          var own = all.sliced(0, 2..<2 + frames)
          if previous == nil, padding == .firstFrame {
            let first = own.sliced(0, 0..<1) + all.sliced(0, 0..<1) + all.sliced(0, 1..<2)
            own = frames == 1 ? first : .concatenated([first, own.sliced(0, 1..<frames)], axis: 0)
          }
          store.add(own.dense(), to: inputNode)
        }
        store.add(all.sliced(0, 0..<2).dense(), to: previousNode)
      }
      if let keptInput {
        store.add(
          keptInput.clip.convolutionWeightGradient(
            gradient, timeTaps: 3, Tensor.planeTaps, previous: keptInput.previous, padding), to: weightNode)
      }
      store.add(gradient.channelSums(), to: biasNode)
    }
  }

  /// This clip as the result of a convolution of `input`, upsampled, recorded if one of them is.
  func recordedUpsampling(of input: Tensor, _ weight: Tensor, bias: Tensor, copies: [Range<Int>]) -> Tensor {
    let (inputNode, weightNode, biasNode) = (input.node, weight.node, bias.node)
    let (keptWeight, keptInput, shape) = (weight.detached, input.detached, input.shape)
    let (height, width) = (2 * shape[1], 2 * shape[2])
    return recorded(from: [input, weight, bias]) { gradient, store in
      let summed = gradient.summedFrames(copies)  // [F, 2 H, 2 W, outputs]
      if inputNode != nil {
        let fine = summed.convolutionInputGradient(
          keptWeight, Tensor.planeTaps, of: [shape[0], height, width, shape[3]])
        store.add(fine.summedToNearest(frames: Array(0..<shape[0]), shape), to: inputNode)
      }
      if weightNode != nil {
        let fine = keptInput.resizedToNearest(frames: Array(0..<shape[0]), height: height, width: width)
        store.add(
          fine.convolutionWeightGradient(summed, timeTaps: 1, Tensor.planeTaps).reshaped(keptWeight.shape),
          to: weightNode)
      }
      store.add(summed.channelSums(), to: biasNode)
    }
  }

  // MARK: - Parts

  /// The weight's gradient `[outputs, C, timeTaps, height, width]` of a convolution of this clip.
  private func convolutionWeightGradient(
    _ gradient: Tensor, timeTaps: Int, _ taps: PlanarTaps, previous: Tensor? = nil,
    _ padding: TemporalPadding = .firstFrame
  ) -> Tensor {
    Tensor([gradient.shape[3], shape[3], timeTaps, taps.height, taps.width]) { output in
      withReader(nil, previous, padding) { reader in
        gradient.withGradientPixels {
          ConvolutionGradientKernel.weight($0, reader, timeTaps: timeTaps, taps, output)
        }
      }
    }
  }

  /// The input's gradient, of `shape`, of a planar convolution whose result has this gradient.
  private func convolutionInputGradient(_ weight: Tensor, _ taps: PlanarTaps, of shape: Shape) -> Tensor {
    if taps == Tensor.planeTaps { return convolved(weight.reversed(), bias: nil) }
    return Tensor(shape) { output in
      withGradientPixels { pixels in
        weight.withConvolutionWeight(nil) {
          ConvolutionGradientKernel.input(pixels, $0, taps, height: shape[1], width: shape[2], output)
        }
      }
    }
  }

  /// The gradients of the two frames before a clip and of the clip, `[2 + F, H, W, C]`, of a causal convolution whose
  /// result has this gradient.
  ///
  /// Backwards in time it is a causal convolution itself, and nothing came before the last frame.
  private func causalInputGradient(_ weight: Tensor) -> Tensor {
    let zeros = Tensor.zeros([2, shape[1], shape[2], shape[3]])
    return Tensor.concatenated([zeros, self], axis: 0).reversedFrames()
      .convolvedCausally(weight.reversed(), bias: .zeros([weight.shape[1]]), padding: .zeros)
      .reversedFrames()
  }

  private func reversedFrames() -> Tensor {
    .concatenated((0..<shape[0]).reversed().map { sliced(0, $0..<$0 + 1) }, axis: 0)
  }

  /// A weight `[outputs, C, taps...]` with outputs and inputs exchanged and each plane of 3 x 3 taps reversed.
  private func reversed() -> Tensor {
    let (outputs, inputs, taps) = (shape[0], shape[1], shape.extents.dropFirst(2).reduce(1, *))
    return Tensor(Shape([inputs, outputs] + shape.extents.dropFirst(2))) { target in
      withFloats { source in
        // Sound: tasks write disjoint rows.
        nonisolated(unsafe) let (source, target) = (source, target)
        Workers.forEach(inputs) { input in
          for output in 0..<outputs {
            let (from, to) = (source + (output * inputs + input) * taps, target + (input * outputs + output) * taps)
            for tap in 0..<taps { to[tap] = from[tap / 9 * 9 + 8 - tap % 9] }
          }
        }
      }
    }
  }

  private func withGradientPixels(_ body: (ConvolutionGradientKernel.Pixels) -> Void) {
    withFloats {
      body(
        ConvolutionGradientKernel.Pixels(
          start: $0, frames: shape[0], height: shape[1], width: shape[2], channels: shape[3]))
    }
  }
}
