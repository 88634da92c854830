import Compute

/// Cosines and sines of rotary position embedding: `[N, K]` each, every frequency repeated for both of its pair.
package struct RotaryTable: Sendable {
  package let cosines: Tensor
  package let sines: Tensor

  package init(cosines: Tensor, sines: Tensor) {
    precondition(cosines.shape == sines.shape && cosines.rank == 2, "rotary tables \(cosines.shape), \(sines.shape)")
    self.cosines = cosines.dense()
    self.sines = sines.dense()
  }

  package var tokens: Int { cosines.shape[0] }
}

/// Affine layer normalisation of each head: weight and bias `[K]`.
package struct HeadNorm: Sendable {
  package let weight: Tensor
  package let bias: Tensor
  package let epsilon: Float

  package init(weight: Tensor, bias: Tensor, epsilon: Float) {
    self.weight = weight
    self.bias = bias
    self.epsilon = epsilon
  }
}

/// Keys and values of one stream, `[B, A, N, K]` each.
package struct KeyValues: Sendable {
  package let keys: Tensor
  package let values: Tensor

  package init(keys: Tensor, values: Tensor) {
    precondition(keys.shape == values.shape && keys.rank == 4, "keys \(keys.shape), values \(values.shape)")
    self.keys = keys
    self.values = values
  }
}

extension Tensor {
  /// Splits hidden states into heads, normalises each head, and rotates the tokens from `rotaryStart` on.
  ///
  /// - Returns: `[B, A, N, K]` for an input of `[B, N, A K]`.
  package func splitIntoHeads(
    _ heads: Int, norm: HeadNorm? = nil, rotary: RotaryTable? = nil, rotaryStart: Int = 0
  ) -> Tensor {
    requireUnrecorded(rotary?.cosines, rotary?.sines, operation: "rotation by variable angles")
    precondition(rank == 3 && shape[2] % heads == 0, "\(shape) does not split into \(heads) heads")
    let (batch, tokens, headSize) = (shape[0], shape[1], shape[2] / heads)
    precondition(
      norm.map { $0.weight.count == headSize && $0.bias.count == headSize } ?? true,
      "norm of heads of size \(headSize)")
    precondition(
      rotary == nil || rotary!.cosines.shape == [tokens - rotaryStart, headSize],
      "rotary table for \(rotary?.tokens ?? 0) tokens on \(tokens) - \(rotaryStart)")
    return Tensor([batch, heads, tokens, headSize]) { output in
      Tensor.withPointers([self, norm?.weight, norm?.bias, rotary?.cosines, rotary?.sines]) { pointers in
        nonisolated(unsafe) let (output, pointers) = (output, pointers)
        Workers.forEachBlock(of: tokenBlock, in: batch * tokens) { rows in
          for row in rows {
            let (sample, token) = (row / tokens, row % tokens)
            for head in 0..<heads {
              let source = pointers[0]! + (row * heads + head) * headSize
              let target = output + ((sample * heads + head) * tokens + token) * headSize
              if let norm {
                kernels.layer_norm(target, source, pointers[1], pointers[2], nil, nil, norm.epsilon, headSize)
              } else {
                target.update(from: source, count: headSize)
              }
              if token >= rotaryStart, let cosines = pointers[3], let sines = pointers[4] {
                let angle = (token - rotaryStart) * headSize
                kernels.rotate_pairs(target, target, cosines + angle, sines + angle, headSize)
              }
            }
          }
        }
      }
    }
    .recorded(from: [self, norm?.weight, norm?.bias]) { gradient, store in
      let joined = gradient.joiningHeads(rotary: rotary, rotaryStart: rotaryStart)  // [B, N, A K]
      guard let norm else { return store.add(joined, to: node) }
      let rows: Shape = [batch * tokens * heads, headSize]
      let backward = LayerNormGradient(
        input: self.detached.reshaped(rows), weight: norm.weight, bias: norm.bias, epsilon: norm.epsilon,
        modulations: [])
      let result = backward(
        joined.reshaped(rows),
        LayerNormGradient.Needs(
          input: isRecorded, weight: norm.weight.isRecorded, bias: norm.bias.isRecorded, scales: [], shifts: []))
      if let input = result.input { store.add(input.reshaped(shape), to: node) }
      if let sum = result.weight { store.add(sum, to: norm.weight.node) }
      if let sum = result.bias { store.add(sum, to: norm.bias.node) }
    }
  }

  /// The transpose of `splitIntoHeads` without a norm: rotates back and joins `[B, A, N, K]` to `[B, N, A K]`.
  private func joiningHeads(rotary: RotaryTable?, rotaryStart: Int) -> Tensor {
    let (batch, heads, tokens, headSize) = (shape[0], shape[1], shape[2], shape[3])
    return Tensor([batch, tokens, heads * headSize]) { output in
      Tensor.withPointers([self, rotary?.cosines, rotary?.sines.scaled(by: -1)]) { pointers in
        nonisolated(unsafe) let (output, pointers) = (output, pointers)
        Workers.forEachBlock(of: tokenBlock, in: batch * tokens) { rows in
          for row in rows {
            let (sample, token) = (row / tokens, row % tokens)
            for head in 0..<heads {
              let source = pointers[0]! + ((sample * heads + head) * tokens + token) * headSize
              let target = output + (row * heads + head) * headSize
              if token >= rotaryStart, let cosines = pointers[1], let sines = pointers[2] {
                let angle = (token - rotaryStart) * headSize
                kernels.rotate_pairs(target, source, cosines + angle, sines + angle, headSize)
              } else {
                target.update(from: source, count: headSize)
              }
            }
          }
        }
      }
    }
  }

  /// softmax(scale q k') v over all parts together.
  ///
  /// - Parameters:
  ///   - parts: keys and values of the streams that the queries attend to, in the order of summation; streams are never
  ///     joined in memory.
  ///   - scale: factor of the scores; 1 / sqrt(K) by default.
  ///   - bias: `[A, N, all keys]` added to the scaled scores (relative positions, masks), the same for every sample.
  /// - Returns: `[B, N, A K]` for queries (this tensor) of `[B, A, N, K]`.
  package func attending(to parts: [KeyValues], scale: Float? = nil, bias: Tensor? = nil) -> Tensor {
    precondition(rank == 4, "queries \(shape)")
    let (batch, heads, tokens, headSize) = (shape[0], shape[1], shape[2], shape[3])
    precondition(
      parts.allSatisfy { $0.keys.shape[0] == batch && $0.keys.shape[1] == heads && $0.keys.shape[3] == headSize },
      "queries \(shape) attend to \(parts.map(\.keys.shape))")
    precondition(
      bias.map { $0.shape == [heads, tokens, parts.reduce(0) { $0 + $1.keys.shape[2] }] } ?? true,
      "attention bias \(bias?.shape ?? []) for queries \(shape)")
    requireUnrecorded(bias, operation: "attention with a variable bias")
    let scale = scale ?? 1 / Float(headSize).squareRoot()
    let inputs = [self] + parts.flatMap { [$0.keys, $0.values] }
    let logSums = inputs.contains(where: \.isRecorded) ? Storage(byteCount: batch * heads * tokens * 4) : nil
    let attended = Tensor([batch, tokens, heads * headSize]) { output in
      Tensor.withPointers([self, bias] + parts.flatMap { [$0.keys, $0.values] }) { pointers in
        AttentionKernel.apply(
          queries: pointers[0]!, tokens: tokens, batch: batch, heads: heads, headSize: headSize,
          parts: parts.indices.map { index in
            AttentionPart(
              keys: pointers[2 + 2 * index]!, values: pointers[3 + 2 * index]!, tokens: parts[index].keys.shape[2])
          },
          scale: scale, bias: pointers[1], output: output,
          logSums: logSums?.bytes.assumingMemoryBound(to: Float.self).baseAddress)
      }
    }
    guard let logSums else { return attended }
    precondition(bias == nil, "attention with a bias has no backward pass; give it detached tensors")
    let rows = Tensor(storage: logSums, layout: Layout([batch * heads, tokens]), dtype: .float32)
    return attended.recorded(from: inputs) { gradient, store in
      self.addAttentionGradients(of: attended, logSums: rows, gradient, parts, scale: scale, to: &store)
    }
  }

  /// - Parameter logSums: of each query, `[B A, N]`.
  private func addAttentionGradients(
    of attended: Tensor, logSums: Tensor, _ gradient: Tensor, _ parts: [KeyValues], scale: Float,
    to store: inout GradientStore
  ) {
    let queryGradient = isRecorded ? Tensor.zeros(shape) : nil
    let keyGradients = parts.map { $0.keys.isRecorded ? Tensor.zeros($0.keys.shape) : nil }
    let valueGradients = parts.map { $0.values.isRecorded ? Tensor.zeros($0.values.shape) : nil }
    let operands = [self, attended, logSums, gradient] + parts.flatMap { [$0.keys, $0.values] }
    let targets = [queryGradient] + zip(keyGradients, valueGradients).flatMap { [$0, $1] }
    Tensor.withPointers(operands) { pointers in
      Tensor.withPointers(targets) { targets in
        // Sound: the targets were made here, dense, and nobody else has seen them.
        let targets = targets.map { $0.map { UnsafeMutablePointer(mutating: $0) } }
        AttentionGradientKernel.apply(
          AttentionGradientKernel.Operands(
            queries: pointers[0]!, tokens: shape[2], batch: shape[0], heads: shape[1], headSize: shape[3],
            parts: parts.indices.map { index in
              AttentionPart(
                keys: pointers[4 + 2 * index]!, values: pointers[5 + 2 * index]!, tokens: parts[index].keys.shape[2])
            },
            scale: scale, output: pointers[1]!, logSums: pointers[2]!, outputGradient: pointers[3]!),
          queries: targets[0],
          parts: parts.indices.map { index in
            AttentionPartGradient(keys: targets[1 + 2 * index], values: targets[2 + 2 * index])
          })
      }
    }
    if let queryGradient { store.add(queryGradient, to: node) }
    for (index, part) in parts.enumerated() {
      if let keys = keyGradients[index] { store.add(keys, to: part.keys.node) }
      if let values = valueGradients[index] { store.add(values, to: part.values.node) }
    }
  }

  /// Softmax over the last axis, after adding `bias`, whose rows repeat over the leading axes.
  ///
  /// - Parameter bias: `[..., columns]` whose row count divides this tensor's.
  package func softmax(bias: Tensor? = nil) -> Tensor {
    let columns = shape[-1]
    let biasRows = (bias?.count ?? columns) / columns
    let probabilities = Tensor(shape) { output in
      Tensor.withPointers([self, bias]) { pointers in
        nonisolated(unsafe) let (output, pointers) = (output, pointers)
        Workers.forEachBlock(of: tokenBlock, in: count / columns) { rows in
          for row in rows {
            let target = output + row * columns
            target.update(from: pointers[0]! + row * columns, count: columns)
            kernels.softmax(target, pointers[1].map { $0 + row % biasRows * columns }, columns)
          }
        }
      }
    }
    let (node, biasNode, biasShape) = (node, bias?.node, bias?.shape)
    return probabilities.recorded(from: [self, bias]) { gradient, store in
      let scores = probabilities.softmaxGradient(gradient)
      store.add(scores, to: node)
      if let biasShape { store.add(scores.rowSums(biasShape.count).reshaped(biasShape), to: biasNode) }
    }
  }

  /// Gradient of the scores whose softmax this is: p (g - sum of g p) in each row.
  private func softmaxGradient(_ gradient: Tensor) -> Tensor {
    let columns = shape[-1]
    return Tensor(shape) { output in
      Tensor.withPointers([self, gradient]) { pointers in
        // Both present: neither argument is optional. Sound: rows are disjoint.
        nonisolated(unsafe) let (output, own, slopes) = (output, pointers[0]!, pointers[1]!)
        Workers.forEachBlock(of: tokenBlock, in: count / columns) { rows in
          for row in rows {
            let (target, weights) = (output + row * columns, own + row * columns)
            kernels.multiply(target, slopes + row * columns, weights, columns)
            let sum = (0..<columns).reduce(0.0) { $0 + Double(target[$1]) }
            kernels.combine(target, target, 1, weights, Float(-sum), columns)
          }
        }
      }
    }
  }
}
