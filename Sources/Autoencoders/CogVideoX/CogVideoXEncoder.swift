import Compute
import Layers
import Tensors

/// Pixels to moments of latents, one chunk of frames at a time.
struct CogVideoXEncoder: Sendable {
  private struct DownBlock: Sendable {
    let residuals: CogVideoXResidualStack<PlainNorm>
    let downsampler: ResamplingConv2D?
    let halvesTime: Bool
  }

  private let input: CausalConv3D
  private let blocks: [DownBlock]
  private let middle: CogVideoXResidualStack<PlainNorm>
  private let norm: PlainNorm
  private let output: CausalConv3D

  /// Keys: `conv_in`, `down_blocks`, `mid_block`, `norm_out`, `conv_out`.
  init(_ scope: ParameterScope, _ config: CogVideoXAutoencoderConfig) {
    let activation = config.activation.function
    let makeNorm = { (scope: ParameterScope, channels: Int) in
      PlainNorm(scope, channels: channels, groups: config.normGroups, epsilon: config.normEpsilon)
    }
    let channels = config.blockChannels
    let last = channels.count - 1
    input = CausalConv3D(scope("conv_in")("conv"), inputs: config.inputChannels, outputs: channels[0])
    blocks = channels.indices.map { index in
      let scope = scope("down_blocks")(index)
      return DownBlock(
        residuals: CogVideoXResidualStack(
          scope, count: config.layersPerBlock, inputs: channels[max(0, index - 1)], outputs: channels[index],
          activation: activation, makeNorm),
        downsampler: index == last
          ? nil
          : ResamplingConv2D(scope("downsamplers")(0)("conv"), inputs: channels[index], outputs: channels[index]),
        halvesTime: index < config.temporalLevels)
    }
    middle = CogVideoXResidualStack(
      scope("mid_block"), count: 2, inputs: channels[last], outputs: channels[last], activation: activation, makeNorm)
    norm = PlainNorm(
      scope("norm_out"), channels: channels[last], groups: config.normGroups, epsilon: 1e-6)
    output = CausalConv3D(scope("conv_out")("conv"), inputs: channels[last], outputs: 2 * config.latentChannels)
  }

  /// - Parameter chunk: `[F, H, W, 3]`, values -1...1.
  /// - Returns: `[f, h, w, 2 L]`.
  func callAsFunction(_ chunk: Tensor, _ cache: inout TemporalCache, _ context: RunContext) throws -> Tensor {
    var chunk = input(chunk, &cache)
    context.probe("encoder.conv_in", chunk.channelsFirst)
    for (index, block) in blocks.enumerated() {
      try block.residuals.apply(to: &chunk, given: (), &cache)
      if let downsampler = block.downsampler {
        chunk = downsampler.downsampling(chunk, pools: Self.pools(of: chunk.shape[0], halvesTime: block.halvesTime))
      }
      context.probe("encoder.block_\(index)", chunk.channelsFirst)
    }
    try middle.apply(to: &chunk, given: (), &cache)
    context.probe("encoder.mid_block", chunk.channelsFirst)
    let transform = norm.transform(of: chunk, .silu)
    context.probe(
      "encoder.norm_out", chunk.transformed(PixelTransform(transform.channels, activation: .identity)).channelsFirst)
    return output(chunk, transform: transform, &cache)
  }

  /// Pairs of frames, after a first one alone if their number is odd; single frames if time is kept.
  static func pools(of frames: Int, halvesTime: Bool) -> [Range<Int>] {
    guard halvesTime else { return (0..<frames).map { $0..<$0 + 1 } }
    let first = frames % 2
    return (0..<first).map { $0..<$0 + 1 } + stride(from: first, to: frames, by: 2).map { $0..<$0 + 2 }
  }
}

extension Tensor {
  /// `[F, H, W, C]` as `[1, C, F, H, W]`, the layout of published implementations.
  var channelsFirst: Tensor {
    permuted(3, 0, 1, 2).reshaped([1, shape[3], shape[0], shape[1], shape[2]])
  }
}
