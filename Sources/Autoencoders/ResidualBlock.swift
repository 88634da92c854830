import Compute
import Layers
import Runtime
import Tensors

/// A normalisation that a convolution applies as it reads a chunk of a clip.
protocol ChunkNorm: Sendable {
  /// What the norm depends on besides the chunk.
  associatedtype Condition
  /// - Parameter chunk: `[F, H, W, C]`; statistics over frames are taken over all of it.
  func transform(of chunk: Tensor, given condition: Condition, _ activation: Activation) -> PixelTransform
}

/// What residual blocks of one model have in common.
struct ResidualDesign<Norm: ChunkNorm> {
  let activation: Activation
  /// Makes a norm of a number of channels.
  let norm: (ParameterScope, Int) -> Norm
  /// Makes a convolution of a number of inputs and outputs.
  let convolution: (ParameterScope, Int, Int) -> CausalConv3D
}

/// Norm, activation, convolution, twice, added to the input.
struct ResidualBlock<Norm: ChunkNorm>: Sendable {
  private let norm1: Norm
  private let conv1: CausalConv3D
  private let norm2: Norm
  private let conv2: CausalConv3D
  private let shortcut: PointwiseConv3D?
  private let activation: Activation

  /// Keys: `norm1`, `conv1`, `norm2`, `conv2`, and `conv_shortcut` where the number of channels changes.
  init(_ scope: ParameterScope, inputs: Int, outputs: Int, _ design: ResidualDesign<Norm>) {
    norm1 = design.norm(scope("norm1"), inputs)
    conv1 = design.convolution(scope("conv1"), inputs, outputs)
    norm2 = design.norm(scope("norm2"), outputs)
    conv2 = design.convolution(scope("conv2"), outputs, outputs)
    shortcut =
      inputs == outputs ? nil : PointwiseConv3D(scope("conv_shortcut"), inputs: inputs, outputs: outputs)
    activation = design.activation
  }

  /// `[F, H, W, inputs]` to `[F, H, W, outputs]`, in place: a chunk can take gigabytes.
  func apply(to chunk: inout Tensor, given condition: Norm.Condition, _ cache: inout TemporalCache) {
    let hidden = conv1(chunk, transform: norm1.transform(of: chunk, given: condition, activation), &cache)
    if let shortcut { chunk = shortcut(chunk) }
    conv2.add(hidden, transform: norm2.transform(of: hidden, given: condition, activation), to: &chunk, &cache)
  }
}

/// Residual blocks at one resolution.
struct ResidualStack<Norm: ChunkNorm>: Sendable {
  private let blocks: [ResidualBlock<Norm>]

  /// Keys: `resnets.{index}.*`.
  init(_ scope: ParameterScope, count: Int, inputs: Int, outputs: Int, _ design: ResidualDesign<Norm>) {
    blocks = (0..<count).map { index in
      ResidualBlock(scope("resnets")(index), inputs: index == 0 ? inputs : outputs, outputs: outputs, design)
    }
  }

  /// `[F, H, W, inputs]` to `[F, H, W, outputs]`. Throws `Interrupted` if the user asked to stop.
  func apply(
    to chunk: inout Tensor, given condition: Norm.Condition, _ cache: inout TemporalCache, _ context: RunContext
  ) throws {
    for (index, block) in blocks.enumerated() {
      try Interruption.check()
      block.apply(to: &chunk, given: condition, &cache)
      context.probe("resnets.\(index)", chunk.channelsFirst)
    }
  }
}
