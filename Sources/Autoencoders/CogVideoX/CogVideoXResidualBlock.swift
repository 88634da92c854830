import Compute
import Layers
import Runtime
import Tensors

/// Norm, activation, convolution, twice, added to the input.
struct CogVideoXResidualBlock<Norm: ChunkNorm>: Sendable {
  private let norm1: Norm
  private let conv1: CausalConv3D
  private let norm2: Norm
  private let conv2: CausalConv3D
  private let shortcut: PointwiseConv3D?
  private let activation: Activation

  /// - Parameter makeNorm: makes a norm of a number of channels.
  init(
    _ scope: ParameterScope, inputs: Int, outputs: Int, activation: Activation,
    _ makeNorm: (ParameterScope, Int) -> Norm
  ) {
    norm1 = makeNorm(scope("norm1"), inputs)
    conv1 = CausalConv3D(scope("conv1")("conv"), inputs: inputs, outputs: outputs)
    norm2 = makeNorm(scope("norm2"), outputs)
    conv2 = CausalConv3D(scope("conv2")("conv"), inputs: outputs, outputs: outputs)
    shortcut =
      inputs == outputs ? nil : PointwiseConv3D(scope("conv_shortcut"), inputs: inputs, outputs: outputs)
    self.activation = activation
  }

  /// `[F, H, W, inputs]` to `[F, H, W, outputs]`, in place: a chunk can take gigabytes.
  func apply(to chunk: inout Tensor, given condition: Norm.Condition, _ cache: inout TemporalCache) {
    let hidden = conv1(chunk, transform: norm1.transform(of: chunk, given: condition, activation), &cache)
    if let shortcut { chunk = shortcut(chunk) }
    conv2.add(hidden, transform: norm2.transform(of: hidden, given: condition, activation), to: &chunk, &cache)
  }
}

/// Residual blocks at one resolution.
struct CogVideoXResidualStack<Norm: ChunkNorm>: Sendable {
  private let blocks: [CogVideoXResidualBlock<Norm>]

  /// Keys: `resnets.{index}.*`.
  init(
    _ scope: ParameterScope, count: Int, inputs: Int, outputs: Int, activation: Activation,
    _ makeNorm: (ParameterScope, Int) -> Norm
  ) {
    blocks = (0..<count).map { index in
      CogVideoXResidualBlock(
        scope("resnets")(index), inputs: index == 0 ? inputs : outputs, outputs: outputs, activation: activation,
        makeNorm)
    }
  }

  /// `[F, H, W, inputs]` to `[F, H, W, outputs]`. Throws `Interrupted` if the user asked to stop.
  func apply(to chunk: inout Tensor, given condition: Norm.Condition, _ cache: inout TemporalCache) throws {
    for block in blocks {
      try Interruption.check()
      block.apply(to: &chunk, given: condition, &cache)
    }
  }
}
