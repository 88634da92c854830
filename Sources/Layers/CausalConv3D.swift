import Compute
import Tensors

/// A causal convolution with 3 taps in time, height and width, over a clip that arrives in chunks.
///
/// Clips are channels-last, `[F, H, W, C]`. A chunk's first frames read the last two of the chunk before, which the
/// cache keeps; before the first chunk its padding stands in.
package struct CausalConv3D: Sendable {
  private let weight: Parameter
  private let bias: Parameter
  private let padding: TemporalPadding

  /// Keys: `weight` `[outputs, inputs, 3, 3, 3]`, `bias` `[outputs]`.
  package init(_ scope: ParameterScope, inputs: Int, outputs: Int, padding: TemporalPadding) {
    weight = scope.parameter("weight", [outputs, inputs, 3, 3, 3])
    bias = scope.parameter("bias", [outputs], initially: .uniform(fanIn: 27 * inputs))
    self.padding = padding
  }

  /// - Parameter transform: applied to the pixels of `chunk` as they are read.
  /// - Returns: `[F, H, W, outputs]`.
  package func callAsFunction(
    _ chunk: Tensor, transform: PixelTransform? = nil, _ cache: inout TemporalCache
  ) -> Tensor {
    let previous = cache.exchange { chunk.lastFrames(transform: transform, previous: $0, padding: padding) }
    return chunk.convolvedCausally(
      weight.tensor, bias: bias.tensor, transform: transform, previous: previous, padding: padding)
  }

  /// Adds the convolution of `chunk` to `sum`, `[F, H, W, outputs]`.
  package func add(
    _ chunk: Tensor, transform: PixelTransform? = nil, to sum: inout Tensor, _ cache: inout TemporalCache
  ) {
    let previous = cache.exchange { chunk.lastFrames(transform: transform, previous: $0, padding: padding) }
    sum.addCausalConvolution(
      of: chunk, weight.tensor, bias: bias.tensor, transform: transform, previous: previous, padding: padding)
  }
}

/// The last frames that each operation in time of a model has read, in the order in which they run.
package struct TemporalCache: Sendable {
  private var slots: [Tensor?] = []
  private var next = 0
  private var isLast = false

  package init() {}

  /// Call before each chunk.
  ///
  /// - Parameter isLast: that no chunk follows: nothing is kept, and memory is freed as the chunk advances.
  package mutating func beginChunk(isLast: Bool) {
    next = 0
    self.isLast = isLast
  }

  /// Takes the frames kept for the next operation in order, nil in the first chunk, and keeps new ones.
  package mutating func exchange(_ makeNew: (Tensor?) -> Tensor) -> Tensor? {
    if next == slots.count { slots.append(nil) }
    let previous = slots[next]
    slots[next] = isLast ? nil : makeNew(previous)
    next += 1
    return previous
  }
}
