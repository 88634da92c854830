import Compute
import Foundation

/// Elements per block of an element-wise pass.
let elementBlock = 32_768

extension Tensor {
  package func activated(_ activation: Activation) -> Tensor {
    mapped { output, input, count in kernels.activate(output, input, activation.code, count) }
      .recorded(from: [self]) { gradient, store in
        store.add(
          Tensor.zipped(gradient, self.detached) { output, gradient, input, count in
            kernels.activate_gradient(output, gradient, input, activation.code, count)
          }, to: node)
      }
  }

  /// p a + q b, element by element.
  package static func combined(_ a: Tensor, _ p: Float, _ b: Tensor, _ q: Float) -> Tensor {
    let (first, second) = (a.node, b.node)
    return zipped(a, b) { output, a, b, count in kernels.combine(output, a, p, b, q, count) }
      .recorded(from: [a, b]) { gradient, store in
        store.add(gradient.scaled(by: p), to: first)
        store.add(gradient.scaled(by: q), to: second)
      }
  }

  package static func + (a: Tensor, b: Tensor) -> Tensor {
    let (first, second) = (a.node, b.node)
    return zipped(a, b) { output, a, b, count in kernels.add(output, a, b, count) }
      .recorded(from: [a, b]) { gradient, store in
        store.add(gradient, to: first)
        store.add(gradient, to: second)
      }
  }

  package static func - (a: Tensor, b: Tensor) -> Tensor { combined(a, 1, b, -1) }

  package static func * (a: Tensor, b: Tensor) -> Tensor {
    zipped(a, b) { output, a, b, count in kernels.multiply(output, a, b, count) }
      .recorded(from: [a, b]) { gradient, store in
        store.add(gradient * b.detached, to: a.node)
        store.add(gradient * a.detached, to: b.node)
      }
  }

  /// x scale + offset
  package func scaled(by scale: Float, adding offset: Float = 0) -> Tensor {
    let node = node
    return mapped { output, input, count in kernels.affine(output, input, scale, offset, count) }
      .recorded(from: [self]) { gradient, store in store.add(gradient.scaled(by: scale), to: node) }
  }

  /// The sum of all squares, in float64.
  package func squaredNorm() -> Double { totalled { Double($0) * Double($0) } }

  /// The sum over all elements of a function, in float64 and in blocks of fixed size.
  private func totalled(_ term: @Sendable (Float) -> Double) -> Double {
    let blocks = (count + elementBlock - 1) / elementBlock
    return withFloats { input in
      let sums = [Double](unsafeUninitializedCapacity: blocks) { buffer, initialized in
        nonisolated(unsafe) let (buffer, input) = (buffer, input)
        Workers.forEachBlock(of: elementBlock, in: count) { range in
          buffer[range.lowerBound / elementBlock] = range.reduce(0.0) { $0 + term(input[$1]) }
        }
        initialized = blocks
      }
      return sums.reduce(0, +)
    }
  }

  /// The sum of all elements, as one element; added in float64.
  package func sum() -> Tensor {
    let (node, shape) = (node, shape)
    let total = Float(totalled { Double($0) })
    return Tensor.filled([1], with: total).recorded(from: [self]) { gradient, store in
      store.add(.filled(shape, with: gradient.floats()[0]), to: node)
    }
  }

  /// e^x, element by element.
  package func exponential() -> Tensor {
    let node = node
    let powers = mapped { output, input, count in
      for index in 0..<count { output[index] = Foundation.exp(input[index]) }
    }
    return powers.recorded(from: [self]) { gradient, store in store.add(gradient * powers, to: node) }
  }

  /// log(1 + e^x), element by element: minus the logarithm of the sigmoid of -x.
  package func softplus() -> Tensor {
    let (node, input) = (node, detached)
    return mapped { output, input, count in
      for index in 0..<count { output[index] = max(input[index], 0) + log1p(Foundation.exp(-abs(input[index]))) }
    }
    .recorded(from: [self]) { gradient, store in store.add(gradient * input.activated(.sigmoid), to: node) }
  }

  /// Values without their signs; no gradient flows back from zeros.
  package func magnitudes() -> Tensor {
    let (node, input) = (node, detached)
    return mapped { output, input, count in
      for index in 0..<count { output[index] = abs(input[index]) }
    }
    .recorded(from: [self]) { gradient, store in
      store.add(
        Tensor.zipped(gradient, input) { output, gradient, input, count in
          for index in 0..<count {
            output[index] = input[index] == 0 ? 0 : input[index] < 0 ? -gradient[index] : gradient[index]
          }
        }, to: node)
    }
  }

  /// Values below or above `range` become its ends, and no gradient flows back from them; NaN stays NaN.
  package func clamped(to range: ClosedRange<Float>) -> Tensor {
    let (node, input) = (node, detached)
    return mapped { output, input, count in
      for index in 0..<count {
        let value = input[index]
        output[index] =
          value < range.lowerBound ? range.lowerBound : value > range.upperBound ? range.upperBound : value
      }
    }
    .recorded(from: [self]) { gradient, store in
      store.add(
        Tensor.zipped(gradient, input) { output, gradient, input, count in
          for index in 0..<count { output[index] = range.contains(input[index]) ? gradient[index] : 0 }
        }, to: node)
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
    let (node, tableNode, tableShape) = (node, table.node, table.shape)
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
    .recorded(from: [self, table]) { gradient, store in
      store.add(gradient, to: node)
      store.add(gradient.rowSums(length).reshaped(tableShape), to: tableNode)
    }
  }

  /// The sum of all rows of `width` consecutive elements: `[width]`.
  func rowSums(_ width: Int) -> Tensor {
    Tensor([width]) { output in
      withFloats { RowSums.apply($0, count: count / max(width, 1), width: width, output) }
    }
  }
}
