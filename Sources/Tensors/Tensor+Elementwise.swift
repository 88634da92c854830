import Compute

/// Elements per block of an element-wise pass.
let elementBlock = 32_768

extension Tensor {
  package func activated(_ activation: Activation) -> Tensor {
    mapped { output, input, count in kernels.activate(output, input, activation.code, count) }
  }

  /// p a + q b, element by element.
  package static func combined(_ a: Tensor, _ p: Float, _ b: Tensor, _ q: Float) -> Tensor {
    zipped(a, b) { output, a, b, count in kernels.combine(output, a, p, b, q, count) }
  }

  package static func + (a: Tensor, b: Tensor) -> Tensor {
    zipped(a, b) { output, a, b, count in kernels.add(output, a, b, count) }
  }

  package static func - (a: Tensor, b: Tensor) -> Tensor { combined(a, 1, b, -1) }

  package static func * (a: Tensor, b: Tensor) -> Tensor {
    zipped(a, b) { output, a, b, count in kernels.multiply(output, a, b, count) }
  }

  /// x scale + offset
  package func scaled(by scale: Float, adding offset: Float = 0) -> Tensor {
    mapped { output, input, count in kernels.affine(output, input, scale, offset, count) }
  }

  /// Values below or above `range` become its ends; NaN stays NaN.
  package func clamped(to range: ClosedRange<Float>) -> Tensor {
    mapped { output, input, count in
      for index in 0..<count {
        let value = input[index]
        output[index] = value < range.lowerBound ? range.lowerBound : value > range.upperBound ? range.upperBound : value
      }
    }
  }

  private func mapped(
    _ kernel: (UnsafeMutablePointer<Float>, UnsafePointer<Float>, Int) -> Void
  ) -> Tensor {
    Tensor(shape) { output in
      withFloats { input in
        nonisolated(unsafe) let (output, input) = (output, input)
        Workers.forEachBlock(of: elementBlock, in: count) { range in
          kernel(output + range.lowerBound, input + range.lowerBound, range.count)
        }
      }
    }
  }

  private static func zipped(
    _ a: Tensor, _ b: Tensor,
    _ kernel: (UnsafeMutablePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>, Int) -> Void
  ) -> Tensor {
    precondition(a.shape == b.shape, "element-wise operation on \(a.shape) and \(b.shape)")
    return Tensor(a.shape) { output in
      a.withFloats { first in
        b.withFloats { second in
          nonisolated(unsafe) let (output, first, second) = (output, first, second)
          Workers.forEachBlock(of: elementBlock, in: a.count) { range in
            kernel(output + range.lowerBound, first + range.lowerBound, second + range.lowerBound, range.count)
          }
        }
      }
    }
  }
}

extension Tensor {
  /// Adds a table to each sample: `[N, D]` to each of `[B, N, D]`.
  package func addingRows(_ table: Tensor) -> Tensor {
    let length = table.count
    precondition(count % length == 0 && shape[-1] == table.shape[-1], "adding rows \(table.shape) to \(shape)")
    return Tensor(shape) { output in
      Tensor.withPointers([self, table]) { pointers in
        nonisolated(unsafe) let (output, pointers) = (output, pointers)
        Workers.forEachBlock(of: elementBlock, in: length) { range in
          for sample in 0..<count / length {
            let offset = sample * length + range.lowerBound
            kernels.add(output + offset, pointers[0]! + offset, pointers[1]! + range.lowerBound, range.count)
          }
        }
      }
    }
  }
}
