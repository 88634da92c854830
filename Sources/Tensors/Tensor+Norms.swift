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
  }
}
