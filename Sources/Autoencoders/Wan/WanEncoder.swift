import Layers
import Runtime
import Tensors

/// Pixels to moments of latents, one chunk of frames at a time.
struct WanEncoder: Sendable {
  private enum Layer: Sendable {
    case residual(ResidualBlock<WanNorm>)
    case downsampler(ResamplingConv2D, WanTimeConvolution?)
  }

  private let input: CausalConv3D
  private let layers: [Layer]
  private let middle: WanMiddle
  private let norm: WanNorm
  private let output: CausalConv3D

  /// Keys: `conv_in`, `down_blocks` (residual blocks and downsamplers in one list), `mid_block`, `norm_out`, `conv_out`.
  init(_ scope: ParameterScope, _ config: WanAutoencoderConfig) {
    let design = ResidualDesign.wan
    let channels = config.channels
    let last = channels[channels.count - 1]
    input = design.convolution(scope("conv_in"), 3, config.baseChannels)
    var layers: [Layer] = []
    var width = config.baseChannels
    for (level, outputs) in channels.enumerated() {
      for _ in 0..<config.residualBlocks {
        layers.append(
          .residual(ResidualBlock(scope("down_blocks")(layers.count), inputs: width, outputs: outputs, design)))
        width = outputs
      }
      guard level < config.halvesTime.count else { continue }
      let scope = scope("down_blocks")(layers.count)
      layers.append(
        .downsampler(
          ResamplingConv2D(scope("resample")(1), inputs: width, outputs: width),
          config.halvesTime[level] ? WanTimeConvolution(scope("time_conv"), inputs: width, outputs: width) : nil))
    }
    self.layers = layers
    middle = WanMiddle(scope("mid_block"), channels: last)
    norm = WanNorm(scope("norm_out"), channels: last)
    output = design.convolution(scope("conv_out"), last, 2 * config.latentChannels)
  }

  /// - Parameter chunk: `[F, H, W, 3]`, values -1...1.
  /// - Returns: `[f, h, w, 2 L]`.
  func callAsFunction(_ chunk: Tensor, _ cache: inout TemporalCache, _ context: RunContext) throws -> Tensor {
    var chunk = input(chunk, &cache)
    for (index, layer) in layers.enumerated() {
      try Interruption.check()
      switch layer {
      case .residual(let block): block.apply(to: &chunk, given: (), &cache)
      case .downsampler(let convolution, let time):
        chunk = convolution.downsampling(chunk, pools: singleFrames(chunk.shape[0]))
        if let time { chunk = time.halved(chunk, &cache) }
      }
      context.probe("down_blocks.\(index)", chunk.channelsFirst)
    }
    try middle.apply(to: &chunk, &cache, context.scoped("mid_block"))
    context.probe("mid_block", chunk.channelsFirst)
    let moments = output(chunk, transform: norm.transform(of: chunk, .silu), &cache)
    context.probe("conv_out", moments.channelsFirst)
    return moments
  }
}

/// Each frame by itself.
func singleFrames(_ count: Int) -> [Range<Int>] { (0..<count).map { $0..<$0 + 1 } }
