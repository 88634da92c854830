import Compute

extension Tensor {
  /// Fades from the end of `previous` into the start of this tensor along `axis`.
  ///
  /// Place y < E of the result is previous[n - E + y] (1 - y / E) + self[y] y / E, the rest is this tensor; E is
  /// `extent` or the shorter of both along the axis, and all other extents agree.
  package func blended(after previous: Tensor, axis: Int, extent: Int) -> Tensor {
    let (length, previousLength) = (shape[axis], previous.shape[axis])
    precondition(rank == previous.rank && count / length == previous.count / previousLength, "blending of \(shape)")
    let extent = Swift.min(extent, length, previousLength)
    let outer = shape.extents[..<axis].reduce(1, *)
    let inner = shape.extents[(axis + 1)...].reduce(1, *)
    let (node, previousNode, previousShape) = (node, previous.node, previous.shape)
    return Tensor(shape) { output in
      Tensor.withPointers([self, previous]) { pointers in
        // Both present: neither argument is optional.
        nonisolated(unsafe) let (output, own, other) = (output, pointers[0]!, pointers[1]!)
        Workers.forEach(outer) { index in
          let start = index * length * inner
          let fade = other + (index * previousLength + previousLength - extent) * inner
          for place in 0..<extent {
            let weight = Double(place) / Double(extent)
            let offset = start + place * inner
            kernels.combine(
              output + offset, fade + place * inner, Float(1 - weight), own + offset, Float(weight), inner)
          }
          let rest = start + extent * inner
          (output + rest).update(from: own + rest, count: (length - extent) * inner)
        }
      }
    }
    .recorded(from: [self, previous]) { gradient, store in
      let weights = (0..<extent).map { Float(Double($0) / Double(extent)) }
      let fade = gradient.sliced(axis, 0..<extent)
      let rest = gradient.sliced(axis, extent..<length)
      store.add(.concatenated([fade.scaled(along: axis, by: weights), rest], axis: axis), to: node)
      var unread = previousShape.extents
      unread[axis] = previousLength - extent
      let other = fade.scaled(along: axis, by: weights.map { 1 - $0 })
      store.add(.concatenated([.zeros(Shape(unread)), other], axis: axis), to: previousNode)
    }
  }

  /// Each place along an axis times its factor; not recorded.
  private func scaled(along axis: Int, by factors: [Float]) -> Tensor {
    let inner = shape.extents[(axis + 1)...].reduce(1, *)
    return Tensor(shape) { output in
      withFloats { input in
        for row in 0..<count / inner {
          kernels.affine(output + row * inner, input + row * inner, factors[row % factors.count], 0, inner)
        }
      }
    }
  }
}
