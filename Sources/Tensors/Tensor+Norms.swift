import Compute

/// Scale and shift of one region of a token sequence: y (1 + scale) + shift.
///
/// `scale` and `shift` are `[B, D]`, one row per sample, applied to the tokens in `tokens`.
package struct Modulation: Sendable {
  package let tokens: Range<Int>
  package let scale: Tensor
  package let shift: Tensor

  package init(tokens: Range<Int>, scale: Tensor, shift: Tensor) {
    self.tokens = tokens
    self.scale = scale
    self.shift = shift
  }
}

/// Gate of one region of a token sequence: `[B, D]`, one row per sample.
package struct Gate: Sendable {
  package let tokens: Range<Int>
  package let gate: Tensor

  package init(tokens: Range<Int>, gate: Tensor) {
    self.tokens = tokens
    self.gate = gate
  }
}

/// Tokens per block of a row-wise pass.
let tokenBlock = 64

extension Tensor {
  /// Layer normalisation over the last axis, (x - mean) / sqrt(variance + epsilon) weight + bias, then modulation.
  ///
  /// - Parameters:
  ///   - weight: `[D]`, or nil for ones. - bias: `[D]`, or nil for zeros.
  ///   - modulations: for an input of `[B, N, D]`; regions must not overlap, tokens outside of all stay unmodulated.
  package func layerNormalized(
    weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Float, modulations: [Modulation] = []
  ) -> Tensor {
    let width = shape[-1]
    precondition(
      [weight, bias].allSatisfy { $0 == nil || $0?.count == width },
      "layer norm of \(shape) with weight \(String(describing: weight?.shape))")
    precondition(
      modulations.allSatisfy { $0.scale.shape == [shape[0], width] && $0.shift.shape == [shape[0], width] }
        && (modulations.isEmpty || rank == 3),
      "layer norm of \(shape) with modulations \(modulations.map { ($0.scale.shape, $0.shift.shape) })")
    let tokens = modulations.isEmpty ? 1 : shape[-2]
    return Tensor(shape) { output in
      Tensor.withPointers([self, weight, bias] + modulations.flatMap { [$0.scale, $0.shift] }) { pointers in
        nonisolated(unsafe) let (output, pointers) = (output, pointers)
        Workers.forEachBlock(of: tokenBlock, in: count / width) { rows in
          for row in rows {
            let (sample, token) = (row / tokens, row % tokens)
            let region = modulations.firstIndex { $0.tokens.contains(token) }
            let scale = region.flatMap { pointers[3 + 2 * $0] }.map { $0 + sample * width }
            let shift = region.flatMap { pointers[4 + 2 * $0] }.map { $0 + sample * width }
            // The first pointer is this tensor's, always present.
            kernels.layer_norm(
              output + row * width, pointers[0]! + row * width, pointers[1], pointers[2], scale, shift, epsilon, width)
          }
        }
      }
    }
    .recorded(from: [self, weight, bias] + modulations.flatMap { [$0.scale, $0.shift] }) { gradient, store in
      let backward = LayerNormGradient(
        input: self, weight: weight, bias: bias, epsilon: epsilon, modulations: modulations)
      let result = backward(
        gradient,
        LayerNormGradient.Needs(
          input: isRecorded, weight: weight?.isRecorded == true, bias: bias?.isRecorded == true,
          scales: modulations.map(\.scale.isRecorded), shifts: modulations.map(\.shift.isRecorded)))
      if let input = result.input { store.add(input, to: node) }
      if let sum = result.weight { store.add(sum, to: weight?.node) }
      if let sum = result.bias { store.add(sum, to: bias?.node) }
      for (index, modulation) in modulations.enumerated() {
        if let rows = result.scales[index] { store.add(rows, to: modulation.scale.node) }
        if let rows = result.shifts[index] { store.add(rows, to: modulation.shift.node) }
      }
    }
  }

  /// Root-mean-square normalisation over the last axis: x / sqrt(mean(x^2) + epsilon) weight.
  package func rmsNormalized(weight: Tensor? = nil, epsilon: Float) -> Tensor {
    let width = shape[-1]
    precondition(weight == nil || weight?.count == width, "RMS norm of \(shape)")
    return Tensor(shape) { output in
      Tensor.withPointers([self, weight]) { pointers in
        nonisolated(unsafe) let (output, pointers) = (output, pointers)
        Workers.forEachBlock(of: tokenBlock, in: count / width) { rows in
          for row in rows {
            kernels.rms_norm(output + row * width, pointers[0]! + row * width, pointers[1], epsilon, width)
          }
        }
      }
    }
    .recorded(from: [self, weight]) { gradient, store in
      let (input, sum) = rmsNormGradient(gradient, weight: weight, epsilon: epsilon)
      if let input { store.add(input, to: node) }
      if let sum, let weight { store.add(sum.reshaped(weight.shape), to: weight.node) }
    }
  }

  /// Gradients of this tensor and of the weight, where they are recorded.
  private func rmsNormGradient(_ gradient: Tensor, weight: Tensor?, epsilon: Float) -> (Tensor?, Tensor?) {
    let width = shape[-1]
    let rowCount = count / width
    let target = isRecorded ? Tensor.zeros(shape) : nil
    let sums =
      weight?.isRecorded == true ? Tensor.zeros([(rowCount + tokenBlock - 1) / tokenBlock, width]) : nil
    Tensor.withPointers([gradient, self, weight, target, sums]) { pointers in
      // Sound: blocks write disjoint rows of the two tensors made here, which nobody else has seen.
      nonisolated(unsafe) let pointers = pointers
      Workers.forEachBlock(of: tokenBlock, in: rowCount) { rows in
        for row in rows {
          kernels.rms_norm_gradient(
            pointers[3].map { UnsafeMutablePointer(mutating: $0) + row * width }, pointers[0]! + row * width,
            pointers[1]! + row * width, pointers[2], epsilon,
            pointers[4].map { UnsafeMutablePointer(mutating: $0) + row / tokenBlock * width }, width)
        }
      }
    }
    return (target, sums?.rowSums(width))
  }

  /// self + gate update, with the gate of each token's region; tokens outside of all regions keep this tensor's value.
  ///
  /// Both are `[B, N, D]`.
  package func adding(_ update: Tensor, gatedBy gates: [Gate]) -> Tensor {
    precondition(shape == update.shape && rank == 3, "gated addition of \(update.shape) to \(shape)")
    precondition(
      gates.allSatisfy { $0.gate.shape == [shape[0], shape[2]] }, "gates \(gates.map(\.gate.shape)) for \(shape)")
    let (tokens, width) = (shape[1], shape[2])
    return Tensor(shape) { output in
      Tensor.withPointers([self, update] + gates.map(\.gate)) { pointers in
        nonisolated(unsafe) let (output, pointers) = (output, pointers)
        Workers.forEachBlock(of: tokenBlock, in: count / width) { rows in
          for row in rows {
            let (sample, token) = (row / tokens, row % tokens)
            let (target, source) = (output + row * width, pointers[0]! + row * width)
            if let region = gates.firstIndex(where: { $0.tokens.contains(token) }) {
              kernels.add_gated(
                target, source, pointers[1]! + row * width, pointers[2 + region]! + sample * width, width)
            } else {
              target.update(from: source, count: width)
            }
          }
        }
      }
    }
    .recorded(from: [self, update] + gates.map(\.gate)) { gradient, store in
      store.add(gradient, to: node)
      let (updateGradient, gateGradients) = Tensor.gateGradients(gradient, of: update, gatedBy: gates)
      if let updateGradient { store.add(updateGradient, to: update.node) }
      for (gate, gradient) in zip(gates, gateGradients) {
        if let gradient { store.add(gradient, to: gate.gate.node) }
      }
    }
  }

  /// Gradients of an update `[B, N, D]` and of its gates, where they are recorded.
  private static func gateGradients(
    _ gradient: Tensor, of update: Tensor, gatedBy gates: [Gate]
  ) -> (update: Tensor?, gates: [Tensor?]) {
    let (batch, tokens, width) = (update.shape[0], update.shape[1], update.shape[2])
    let gradient = gradient.dense()
    var target: Tensor?
    if update.isRecorded {
      target = Tensor(update.shape) { output in
        withPointers([gradient] + gates.map(\.gate)) { pointers in
          nonisolated(unsafe) let (output, pointers) = (output, pointers)
          Workers.forEachBlock(of: tokenBlock, in: batch * tokens) { rows in
            for row in rows {
              let (sample, token) = (row / tokens, row % tokens)
              let slopes = output + row * width
              if let region = gates.firstIndex(where: { $0.tokens.contains(token) }) {
                kernels.multiply(slopes, pointers[0]! + row * width, pointers[1 + region]! + sample * width, width)
              } else {
                slopes.update(repeating: 0, count: width)
              }
            }
          }
        }
      }
    }
    let gateGradients = gates.map { gate -> Tensor? in
      guard gate.gate.isRecorded else { return nil }
      return Tensor([batch, width]) { output in
        withPointers([gradient, update]) { pointers in
          for sample in 0..<batch {
            let first = (sample * tokens + gate.tokens.lowerBound) * width
            RowSums.apply(
              pointers[0]! + first, times: pointers[1]! + first, count: gate.tokens.count, width: width,
              output + sample * width)
          }
        }
      }
    }
    return (target, gateGradients)
  }
}
