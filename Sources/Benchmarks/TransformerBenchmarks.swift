import Compute
import Layers
import Tensors
import VideoTransformers

/// Parts of the CogVideoX-5B transformer at a chosen number of video tokens a stream.
package struct TransformerBenchmarks: Sendable {
  private let videoTokens: Int
  private let dtype: DType
  private let configuration: CogVideoXConfiguration

  /// - Parameter dtype: how weights are stored.
  package init(videoTokens: Int, dtype: DType) {
    var configuration = CogVideoXConfiguration()
    configuration.headCount = 48
    configuration.expertLayers = [0]
    configuration.layerCount = 1
    self.videoTokens = videoTokens
    self.dtype = dtype
    self.configuration = configuration
  }

  private var textTokens: Int { configuration.maxTextLength }
  /// Of one stream.
  private var tokens: Int { textTokens + videoTokens }
  private var width: Int { configuration.hiddenSize }

  /// The three shapes of matrix product in a block, on the rows of one stream.
  package var linear: [Benchmark] {
    [("projection", width, width), ("feed-forward in", width, 4 * width), ("feed-forward out", 4 * width, width)]
      .map { name, inputs, outputs in
        Benchmark(
          name: "linear \(name)",
          detail: "[\(tokens), \(inputs)] x [\(outputs), \(inputs)]', weights \(dtype.rawValue)",
          work: .arithmetic(gigaflops: 2e-9 * Double(tokens) * Double(inputs) * Double(outputs))
        ) {
          let weight = Tensor.benchmarkInput([outputs, inputs], "weight").stored(as: dtype)
          let input = Tensor.benchmarkInput([tokens, inputs], "input")
          return { _ = input.linear(weight) }
        }
      }
  }

  /// Joint attention of both streams, all heads.
  package var attention: Benchmark {
    let (heads, size, all) = (configuration.headCount, configuration.headSize, 2 * tokens)
    return Benchmark(
      name: "attention", detail: "\(heads) heads of \(size), \(all) queries on \(all) keys in two parts",
      work: .arithmetic(gigaflops: attentionGigaflops),
      prepareProducts: { MatrixProducts.attention(heads: heads, headSize: size, queries: all, keys: all) }
    ) {
      let shape: Shape = [1, heads, tokens, size]
      let queries = [Tensor.benchmarkInput(shape, "q0"), .benchmarkInput(shape, "q1")]
      let parts = [
        KeyValues(keys: .benchmarkInput(shape, "k0"), values: .benchmarkInput(shape, "v0")),
        KeyValues(keys: .benchmarkInput(shape, "k1"), values: .benchmarkInput(shape, "v1")),
      ]
      return { for query in queries { _ = query.attending(to: parts) } }
    }
  }

  /// A whole block with expert, forward, two streams.
  package var block: Benchmark {
    let modulation = 2e-9 * Double(configuration.timeEmbeddingSize) * Double(6 * width)
    let linear = 2e-9 * Double(tokens) * Double(width) * Double(12 * width)
    return Benchmark(
      name: "expert block",
      detail: "CogVideoX-5B, two streams of \(textTokens) + \(videoTokens) tokens, weights \(dtype.rawValue)",
      work: .arithmetic(gigaflops: 2 * (linear + 2 * modulation) + attentionGigaflops),
      prepareProducts: { blockProducts() }
    ) {
      let loader = ParameterLoader(RandomSource(seed: 1, dtype: dtype))
      let block = MixtureBlock(
        base: CogVideoXBranch(loader.root, suffix: "", configuration),
        expert: CogVideoXBranch(loader.root, suffix: expertSuffix, configuration))
      let angles = Tensor.benchmarkInput([videoTokens, configuration.headSize], "angles")
      let conditioning = CogVideoXConditioning(
        timeEmbedding: .benchmarkInput([1, configuration.timeEmbeddingSize], "time"),
        rotary: RotaryTable(cosines: angles, sines: angles), textCount: textTokens)
      let streams = MixtureStreams(
        target: .benchmarkInput([1, tokens, width], "target"),
        reference: .benchmarkInput([1, tokens, width], "reference"))
      let context = RunContext()
      return {
        _ = block(
          streams, target: conditioning, reference: conditioning, isLastExpert: false, context: context)
      }
    }
  }

  private var attentionGigaflops: Double { 4e-9 * Double(width) * Double(2 * tokens) * Double(2 * tokens) }

  private func blockProducts() -> () -> Void {
    let linear = MatrixProducts.linear(rows: tokens, [(width, width, 4), (width, 4 * width, 1), (4 * width, width, 1)])
    let attention = MatrixProducts.attention(
      heads: configuration.headCount, headSize: configuration.headSize, queries: 2 * tokens, keys: 2 * tokens)
    return {
      for _ in 0..<2 { linear() }
      attention()
    }
  }
}
