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
