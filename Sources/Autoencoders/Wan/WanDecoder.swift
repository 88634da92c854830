import Layers
import Runtime
import Tensors

/// Latents to pixels, one chunk of latent frames at a time.
struct WanDecoder: Sendable {
  private struct UpBlock: Sendable {
    let residuals: ResidualStack<WanNorm>
    let upsampler: Upsampler?
  }

  /// Doubles the frame rate where it must, then height and width; halves the channels.
  private struct Upsampler: Sendable {
    let time: WanTimeConvolution?
    let convolution: ResamplingConv2D

    /// Keys: `time_conv`, `resample.1`.
    init(_ scope: ParameterScope, channels: Int, doublesTime: Bool) {
      time = doublesTime ? WanTimeConvolution(scope("time_conv"), inputs: channels, outputs: 2 * channels) : nil
      convolution = ResamplingConv2D(scope("resample")(1), inputs: channels, outputs: channels / 2)
    }

    func callAsFunction(_ chunk: Tensor, _ cache: inout TemporalCache) -> Tensor {
      let doubled = time?.doubled(chunk, &cache) ?? chunk
      return convolution.upsampling(doubled, copies: singleFrames(doubled.shape[0]))
    }
  }

  private let input: CausalConv3D
  private let middle: WanMiddle
  private let blocks: [UpBlock]
  private let norm: WanNorm
  private let output: CausalConv3D

  /// Keys: `conv_in`, `mid_block`, `up_blocks`, `norm_out`, `conv_out`.
  init(_ scope: ParameterScope, _ config: WanAutoencoderConfig) {
    let design = ResidualDesign.wan
    let channels = Array(config.channels.reversed())
    let doublesTime = Array(config.halvesTime.reversed())
    input = design.convolution(scope("conv_in"), config.latentChannels, channels[0])
    middle = WanMiddle(scope("mid_block"), channels: channels[0])
    blocks = channels.indices.map { index in
      let scope = scope("up_blocks")(index)
      // The block before has halved its channels while it doubled height and width.
      let inputs = index == 0 ? channels[0] : channels[index - 1] / 2
      return UpBlock(
        residuals: ResidualStack(
          scope, count: config.residualBlocks + 1, inputs: inputs, outputs: channels[index], design),
        upsampler: index < doublesTime.count
          ? Upsampler(scope("upsamplers")(0), channels: channels[index], doublesTime: doublesTime[index]) : nil)
    }
    let last = channels[channels.count - 1]
    norm = WanNorm(scope("norm_out"), channels: last)
    output = design.convolution(scope("conv_out"), last, 3)
  }

  /// - Parameter latents: `[f, h, w, L]`.
  /// - Returns: `[F, H, W, 3]`, values about -1...1, not clamped.
  func callAsFunction(_ latents: Tensor, _ cache: inout TemporalCache, _ context: RunContext) throws -> Tensor {
    var chunk = input(latents, &cache)
    context.probe("conv_in", chunk.channelsFirst)
    try middle.apply(to: &chunk, &cache, context.scoped("mid_block"))
    context.probe("mid_block", chunk.channelsFirst)
    for (index, block) in blocks.enumerated() {
      let name = "up_blocks.\(index)"
      try block.residuals.apply(to: &chunk, given: (), &cache, context.scoped(name))
      if let upsampler = block.upsampler { chunk = upsampler(chunk, &cache) }
      context.probe(name, chunk.channelsFirst)
    }
    return output(chunk, transform: norm.transform(of: chunk, .silu), &cache)
  }
}
