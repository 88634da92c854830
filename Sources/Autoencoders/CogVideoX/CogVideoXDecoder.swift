import Compute
import Layers
import Tensors

/// Latents to pixels, one chunk of latent frames at a time.
struct CogVideoXDecoder: Sendable {
  private struct UpBlock: Sendable {
    let residuals: ResidualStack<SpatialNorm>
    let upsampler: ResamplingConv2D?
    let doublesTime: Bool
  }

  private let input: CausalConv3D
  private let middle: ResidualStack<SpatialNorm>
  private let blocks: [UpBlock]
  private let norm: SpatialNorm
  private let output: CausalConv3D

  /// Keys: `conv_in`, `mid_block`, `up_blocks`, `norm_out`, `conv_out`.
  init(_ scope: ParameterScope, _ config: CogVideoXAutoencoderConfig) {
    let design = ResidualDesign(config) { scope, channels in
      SpatialNorm(scope, channels: channels, latentChannels: config.latentChannels, groups: config.normGroups)
    }
    let channels = Array(config.blockChannels.reversed())
    let last = channels.count - 1
    input = design.convolution(scope("conv_in"), config.latentChannels, channels[0])
    middle = ResidualStack(
      scope("mid_block"), count: 2, inputs: channels[0], outputs: channels[0], design)
    blocks = channels.indices.map { index in
      let scope = scope("up_blocks")(index)
      return UpBlock(
        residuals: ResidualStack(
          scope, count: config.layersPerBlock + 1, inputs: channels[max(0, index - 1)], outputs: channels[index],
          design),
        upsampler: index == last
          ? nil
          : ResamplingConv2D(scope("upsamplers")(0)("conv"), inputs: channels[index], outputs: channels[index]),
        doublesTime: index < config.temporalLevels)
    }
    norm = design.norm(scope("norm_out"), channels[last])
    output = design.convolution(scope("conv_out"), channels[last], config.outputChannels)
  }

  /// - Parameter latents: `[f, h, w, L]`.
  /// - Returns: `[F, H, W, 3]`, values about -1...1, not clamped.
  func callAsFunction(_ latents: Tensor, _ cache: inout TemporalCache, _ context: RunContext) throws -> Tensor {
    var chunk = input(latents, &cache)
    context.probe("decoder.conv_in", chunk.channelsFirst)
    try middle.apply(to: &chunk, given: latents, &cache, context.scoped("decoder.mid_block"))
    context.probe("decoder.mid_block", chunk.channelsFirst)
    for (index, block) in blocks.enumerated() {
      try block.residuals.apply(to: &chunk, given: latents, &cache, context.scoped("decoder.block_\(index)"))
      if let upsampler = block.upsampler {
        chunk = upsampler.upsampling(chunk, copies: Self.copies(of: chunk.shape[0], doublesTime: block.doublesTime))
      }
      context.probe("decoder.block_\(index)", chunk.channelsFirst)
    }
    let transform = norm.transform(of: chunk, given: latents, .silu)
    return output(chunk, transform: transform, &cache)
  }

  /// Each frame twice, but the first of an odd number once; each once if time is kept.
  static func copies(of frames: Int, doublesTime: Bool) -> [Range<Int>] {
    guard doublesTime else { return (0..<frames).map { $0..<$0 + 1 } }
    let first = frames % 2
    return (0..<frames).map { $0 < first ? 0..<1 : 2 * $0 - first..<2 * $0 - first + 2 }
  }
}
