import Compute

extension Tensor {
  /// activation(x weight' + bias) over the last axis.
  ///
  /// - Parameters:
  ///   - weight: `[outputs, inputs]`, in any weight type; 16-bit weights are widened a panel at a time.
  ///   - bias: `[outputs]`.
  /// - Returns: `[..., outputs]` for an input of `[..., inputs]`.
  package func linear(_ weight: Tensor, bias: Tensor? = nil, _ activation: Activation = .identity) -> Tensor {
    precondition(
      weight.rank == 2 && shape[-1] == weight.shape[1] && (bias.map { $0.count == weight.shape[0] } ?? true),
      "linear: input \(shape), weight \(weight.shape), bias \(bias?.shape.description ?? "none")")
    if activation != .identity, isRecorded || weight.isRecorded || bias?.isRecorded == true {
      // The activation's own pull-back needs its input, which the fused form would not keep.
      return linear(weight, bias: bias).activated(activation)
    }
    let outputs = weight.shape[0]
    let rows = count / max(shape[-1], 1)
    let matrix = weight.layout.isDense ? weight : weight.gathered()
    return Tensor(Shape(shape.extents.dropLast() + [outputs])) { output in
      withFloats { input in
        Tensor.withPointers([bias]) { pointers in
          matrix.withStoredMatrix { LinearKernel.apply(input, rows: rows, $0, bias: pointers[0], activation, output) }
        }
      }
    }
    .recordedLinear(of: self, weight, bias: bias)
  }

  /// This tensor as input weight' + bias. Of input and weight the recording keeps only what a gradient needs.
  private func recordedLinear(of input: Tensor, _ weight: Tensor, bias: Tensor?) -> Tensor {
    let (inputNode, weightNode, biasNode) = (input.node, weight.node, bias?.node)
    let keptWeight = inputNode == nil ? nil : weight.detached
    let keptInput = weightNode == nil ? nil : input.detached
    let (inputShape, rows) = (input.shape, input.count / max(input.shape[-1], 1))
    let (outputs, inputs) = (weight.shape[0], weight.shape[1])
    let biasShape = bias?.shape
    return recorded(from: [input, weight, bias]) { gradient, store in
      let gradient = gradient.dense()
      if let keptWeight {
        let matrix = keptWeight.layout.isDense ? keptWeight : keptWeight.gathered()
        store.add(
          Tensor(inputShape) { output in
            gradient.withFloats { gradient in
              matrix.withStoredMatrix { LinearGradientKernel.input(gradient, rows: rows, $0, output) }
            }
          }, to: inputNode)
      }
      if let keptInput {
        store.add(
          Tensor([outputs, inputs]) { output in
            gradient.withFloats { gradient in
              keptInput.withFloats {
                LinearGradientKernel.weight(gradient, $0, rows: rows, outputs: outputs, inputs: inputs, output)
              }
            }
          }, to: weightNode)
      }
      if let biasShape { store.add(gradient.rowSums(outputs).reshaped(biasShape), to: biasNode) }
    }
  }

  /// Calls `body` with a dense rank-2 weight as it is stored.
  fileprivate func withStoredMatrix<Result>(_ body: (StoredMatrix) -> Result) -> Result {
    withExtendedLifetime(storage) {
      body(
        StoredMatrix(
          start: UnsafeRawPointer(storage.bytes.baseAddress!) + layout.offset * dtype.byteCount, dtype: dtype,
          rows: shape[0], columns: shape[1]))
    }
  }
}
