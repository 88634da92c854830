import Compute
import Layers
import Tensors

/// Pixels to moments of latents, one chunk of frames at a time.
struct CogVideoXEncoder: Sendable {
  private struct DownBlock: Sendable {
    let residuals: ResidualStack<PlainNorm>
    let downsampler: ResamplingConv2D?
    let halvesTime: Bool
  }

  private let input: CausalConv3D
  private let blocks: [DownBlock]
  private let middle: ResidualStack<PlainNorm>
  private let norm: PlainNorm
  private let output: CausalConv3D

  /// Keys: `conv_in`, `down_blocks`, `mid_block`, `norm_out`, `conv_out`.
  init(_ scope: ParameterScope, _ config: CogVideoXAutoencoderConfig) {
    let design = ResidualDesign(config) { scope, channels in
      PlainNorm(scope, channels: channels, groups: config.normGroups, epsilon: config.normEpsilon)
    }
    let channels = config.blockChannels
    let last = channels.count - 1
    input = design.convolution(scope("conv_in"), config.inputChannels, channels[0])
    blocks = channels.indices.map { index in
      let scope = scope("down_blocks")(index)
      return DownBlock(
        residuals: ResidualStack(
          scope, count: config.layersPerBlock, inputs: channels[max(0, index - 1)], outputs: channels[index],
          design),
        downsampler: index == last
          ? nil
          : ResamplingConv2D(scope("downsamplers")(0)("conv"), inputs: channels[index], outputs: channels[index]),
        halvesTime: index < config.temporalLevels)
    }
    middle = ResidualStack(
      scope("mid_block"), count: 2, inputs: channels[last], outputs: channels[last], design)
    norm = PlainNorm(
      scope("norm_out"), channels: channels[last], groups: config.normGroups, epsilon: 1e-6)
    output = design.convolution(scope("conv_out"), channels[last], 2 * config.latentChannels)
  }

  /// - Parameter chunk: `[F, H, W, 3]`, values -1...1.
  /// - Returns: `[f, h, w, 2 L]`.
  func callAsFunction(_ chunk: Tensor, _ cache: inout TemporalCache, _ context: RunContext) throws -> Tensor {
    var chunk = input(chunk, &cache)
    context.probe("encoder.conv_in", chunk.channelsFirst)
    for (index, block) in blocks.enumerated() {
      try block.residuals.apply(to: &chunk, given: (), &cache, context.scoped("encoder.block_\(index)"))
      if let downsampler = block.downsampler {
        chunk = downsampler.downsampling(chunk, pools: Self.pools(of: chunk.shape[0], halvesTime: block.halvesTime))
      }
      context.probe("encoder.block_\(index)", chunk.channelsFirst)
    }
    try middle.apply(to: &chunk, given: (), &cache, context.scoped("encoder.mid_block"))
    context.probe("encoder.mid_block", chunk.channelsFirst)
    let transform = norm.transform(of: chunk, .silu)
    context.probe(
      "encoder.norm_out", chunk.transformed(PixelTransform(transform.norm, activation: .identity)).channelsFirst)
    return output(chunk, transform: transform, &cache)
  }

  /// Pairs of frames, after a first one alone if their number is odd; single frames if time is kept.
  static func pools(of frames: Int, halvesTime: Bool) -> [Range<Int>] {
    guard halvesTime else { return (0..<frames).map { $0..<$0 + 1 } }
    let first = frames % 2
    return (0..<first).map { $0..<$0 + 1 } + stride(from: first, to: frames, by: 2).map { $0..<$0 + 2 }
  }
}
