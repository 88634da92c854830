import Autoencoders
import Compute
import Layers
import Tensors
import VideoTransformers

/// Parts of Wan 2.1 I2V 14B with a Video-As-Prompt expert.
package enum WanBenchmarks {
  private static let configuration: WanConfiguration = {
    var configuration = WanConfiguration()
    configuration.inChannels = 36
    configuration.layerCount = 1
    configuration.expertLayers = [0]
    return configuration
  }()
  /// Tokens of a picture: 16 x 16 patches and one for all of it.
  private static let imageTokens = 257

  /// A whole block with expert, forward, two streams with a caption and a picture each.
  ///
  /// - Parameter tokens: of a stream.
  package static func block(tokens: Int, dtype: DType) -> Benchmark {
    let width = configuration.hiddenSize
    return Benchmark(
      name: "Wan expert block",
      detail:
        "Wan-14B, two streams of \(tokens) tokens, \(WanConfiguration.textLength) + \(imageTokens) of caption and "
        + "picture, weights \(dtype.rawValue)",
      work: .arithmetic(gigaflops: blockGigaflops(tokens: tokens))
    ) {
      let loader = ParameterLoader(RandomSource(seed: 1, dtype: dtype))
      let block = MixtureBlock(
        base: WanBranch(loader.root, suffix: "", configuration),
        expert: WanBranch(loader.root, suffix: expertSuffix, configuration))
      let angles = Tensor.benchmarkInput([tokens, configuration.headSize], "angles")
      let conditioning = WanConditioning(
        parts: [
          WanConditioning.Part(
            tokens: 0..<tokens, modulation: .benchmarkInput([1, 6, width], "modulation"),
            text: .benchmarkInput([1, WanConfiguration.textLength, width], "text"),
            image: .benchmarkInput([1, imageTokens, width], "image"))
        ], rotary: RotaryTable(cosines: angles, sines: angles))
      let streams = MixtureStreams(
        target: .benchmarkInput([1, tokens, width], "target"),
        reference: .benchmarkInput([1, tokens, width], "reference"))
      let context = RunContext()
      return {
        _ = block(streams, target: conditioning, reference: conditioning, isLastExpert: false, context: context)
      }
    }
  }

  private static func blockGigaflops(tokens: Int) -> Double {
    let (width, hidden) = (Double(configuration.hiddenSize), Double(configuration.feedForwardSize))
    let (tokens, context) = (Double(tokens), Double(WanConfiguration.textLength + imageTokens))
    // Queries, keys, values and output of self-attention; queries and output of cross-attention; feed-forward.
    let linear = 2 * tokens * width * (4 * width + 2 * width + 2 * hidden) + 2 * context * width * 2 * width
    let attention = 4 * width * (2 * tokens * 2 * tokens + 2 * tokens * context)
    return 1e-9 * (2 * linear + attention)
  }

  package static func decoding(latentFrames: Int, dtype: DType) -> Benchmark {
    let config = WanAutoencoderConfig()
    let shape: Shape = [
      1, config.latentChannels, latentFrames, AutoencoderBenchmarks.latentHeight, AutoencoderBenchmarks.latentWidth,
    ]
    return Benchmark(
      name: "Wan VAE decode", detail: "latents \(shape), weights \(dtype.rawValue)",
      work: .arithmetic(gigaflops: decoderGigaflops(config, shape))
    ) {
      let autoencoder = WanAutoencoder(ParameterLoader(RandomSource(seed: 1, dtype: dtype)).root, config)
      let latents = Tensor.benchmarkInput(shape, "latents")
      return { try autoencoder.decode(latents) { _ in } }
    }
  }

  private static func decoderGigaflops(_ config: WanAutoencoderConfig, _ latents: Shape) -> Double {
    let channels = Array(config.channels.reversed())
    var (frames, height, width) = (latents[2], latents[3], latents[4])
    func work(_ inputs: Int, _ outputs: Int, taps: Int, frames: Int) -> Double {
      ConvolutionWork(inputs: inputs, outputs: outputs, taps: taps).gigaflops(frames * height * width)
    }
    func residual(_ inputs: Int, _ outputs: Int) -> Double {
      ConvolutionWork.residual(inputs, outputs, pixels: frames * height * width)
    }
    var sum = work(config.latentChannels, config.latentChannels, taps: 1, frames: frames)
    sum += work(config.latentChannels, channels[0], taps: 27, frames: frames)
    sum += 2 * residual(channels[0], channels[0]) + work(channels[0], 4 * channels[0], taps: 1, frames: frames)
    // Attention among the pixels of each frame.
    let area = Double(height * width)
    sum += 4e-9 * Double(frames) * area * area * Double(channels[0])
    for (index, outputs) in channels.enumerated() {
      sum += residual(index == 0 ? channels[0] : channels[index - 1] / 2, outputs)
      sum += Double(config.residualBlocks) * residual(outputs, outputs)
      guard index < channels.count - 1 else { break }
      // Every frame but the first becomes two.
      if config.halvesTime.reversed()[index] {
        sum += work(outputs, 2 * outputs, taps: 3, frames: frames - 1)
        frames = 2 * frames - 1
      }
      (height, width) = (2 * height, 2 * width)
      sum += work(outputs, outputs / 2, taps: 9, frames: frames)
    }
    return sum + work(channels[channels.count - 1], 3, taps: 27, frames: frames)
  }
}
