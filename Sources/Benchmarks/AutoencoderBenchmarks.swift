import Autoencoders
import Compute
import Layers
import Tensors

/// Convolutions and decoding of the published CogVideoX autoencoder. Arithmetic is counted as direct sums over all taps.
package enum AutoencoderBenchmarks {
  /// Latents of a clip of 240 x 360 pixels.
  static let latentHeight = 30
  static let latentWidth = 45

  /// Causal convolutions with 3 x 3 x 3 taps at two of the decoder's resolutions.
  package static func convolution(dtype: DType) -> [Benchmark] {
    [(256, 60, 90), (128, 120, 180)].map { channels, height, width in
      let clip: Shape = [8, height, width, channels]
      return Benchmark(
        name: "convolution \(channels)", detail: "\(clip) with \(channels) x 3 x 3 x 3 taps, weights \(dtype.rawValue)",
        work: .arithmetic(
          gigaflops: ConvolutionWork(inputs: channels, outputs: channels, taps: 27).gigaflops(clip.count / channels))
      ) {
        let input = Tensor.benchmarkInput(clip, "clip")
        let weight = Tensor.benchmarkInput([channels, channels, 3, 3, 3], "weight").stored(as: dtype)
        let bias = Tensor.benchmarkInput([channels], "bias")
        return { _ = input.convolvedCausally(weight, bias: bias) }
      }
    }
  }

  package static func decoding(latentFrames: Int, dtype: DType) -> Benchmark {
    let config = CogVideoXAutoencoderConfig()
    let shape: Shape = [1, config.latentChannels, latentFrames, latentHeight, latentWidth]
    return Benchmark(
      name: "VAE decode", detail: "latents \(shape), weights \(dtype.rawValue)",
      work: .arithmetic(gigaflops: decoderGigaflops(config, latentFrames: latentFrames))
    ) {
      let autoencoder = CogVideoXAutoencoder(ParameterLoader(RandomSource(seed: 1, dtype: dtype)).root, config)
      let latents = Tensor.benchmarkInput(shape, "latents")
      return { try autoencoder.decode(latents) { _ in } }
    }
  }

  /// Convolutions of the decoder but for those of its norms, which read latents (1 % at full resolution).
  private static func decoderGigaflops(_ config: CogVideoXAutoencoderConfig, latentFrames: Int) -> Double {
    let channels = Array(config.blockChannels.reversed())
    // The first chunk takes what is left over.
    let count = max(1, latentFrames / 2)
    var chunks = [latentFrames - 2 * (count - 1)] + Array(repeating: 2, count: count - 1)
    var (height, width) = (latentHeight, latentWidth)
    var pixels: Int { chunks.reduce(0, +) * height * width }
    func residual(_ inputs: Int, _ outputs: Int) -> Double { ConvolutionWork.residual(inputs, outputs, pixels: pixels) }
    var sum = ConvolutionWork(inputs: config.latentChannels, outputs: channels[0], taps: 27).gigaflops(pixels)
    sum += 2 * residual(channels[0], channels[0])
    for (index, outputs) in channels.enumerated() {
      sum += residual(channels[max(0, index - 1)], outputs)
      sum += Double(config.layersPerBlock) * residual(outputs, outputs)
      guard index < channels.count - 1 else { break }
      if 1 << index < config.temporalRatio { chunks = chunks.map { 2 * $0 - $0 % 2 } }
      (height, width) = (2 * height, 2 * width)
      sum += ConvolutionWork(inputs: outputs, outputs: outputs, taps: 9).gigaflops(pixels)
    }
    let output = ConvolutionWork(inputs: channels[channels.count - 1], outputs: config.outputChannels, taps: 27)
    return sum + output.gigaflops(pixels)
  }
}

/// The arithmetic of one convolution, as direct sums over all taps.
struct ConvolutionWork {
  let inputs: Int
  let outputs: Int
  let taps: Int

  /// For a number of output pixels.
  func gigaflops(_ pixels: Int) -> Double { 2e-9 * Double(pixels) * Double(inputs) * Double(outputs) * Double(taps) }

  /// Of a residual block: two convolutions of 27 taps, and a shortcut where the number of channels changes.
  static func residual(_ inputs: Int, _ outputs: Int, pixels: Int) -> Double {
    let shortcut = inputs == outputs ? 0 : ConvolutionWork(inputs: inputs, outputs: outputs, taps: 1).gigaflops(pixels)
    return shortcut + ConvolutionWork(inputs: inputs, outputs: outputs, taps: 27).gigaflops(pixels)
      + ConvolutionWork(inputs: outputs, outputs: outputs, taps: 27).gigaflops(pixels)
  }
}
