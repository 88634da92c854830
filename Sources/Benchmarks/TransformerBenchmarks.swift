import Compute
import Layers
import Tensors
import VideoTransformers

/// Parts of the CogVideoX-5B transformer at a chosen number of video tokens a stream.
package enum TransformerBenchmarks {
  private static let textTokens = 226
  private static var configuration: CogVideoXConfiguration {
    var configuration = CogVideoXConfiguration()
    configuration.headCount = 48
    configuration.expertLayers = [0]
    configuration.layerCount = 1
    return configuration
  }

  /// The four shapes of matrix product in a block, by themselves, on the rows of one stream.
  package static func linear(videoTokens: Int, dtype: DType) -> [Benchmark] {
    let (rows, width) = (textTokens + videoTokens, configuration.hiddenSize)
    return [("projection", width, width), ("feed-forward in", width, 4 * width), ("feed-forward out", 4 * width, width)]
      .map { name, inputs, outputs in
        Benchmark(
          name: "linear \(name)", detail: "[\(rows), \(inputs)] x [\(outputs), \(inputs)]', weights \(dtype.rawValue)",
          gigaflops: 2e-9 * Double(rows) * Double(inputs) * Double(outputs)
        ) {
          let weight = random([outputs, inputs], "weight").stored(as: dtype)
          let input = random([rows, inputs], "input")
          return { _ = input.linear(weight) }
        }
      }
  }

  /// Joint attention of one stream's queries over both streams' keys and values, all heads.
  package static func attention(videoTokens: Int) -> Benchmark {
    let (tokens, heads, size) = (textTokens + videoTokens, configuration.headCount, configuration.headSize)
    return Benchmark(
      name: "attention", detail: "\(heads) heads of \(size), \(2 * tokens) queries on \(2 * tokens) keys in two parts",
      gigaflops: 4e-9 * Double(heads * size) * Double(2 * tokens) * Double(2 * tokens)
    ) {
      let shape: Shape = [1, heads, tokens, size]
      let queries = [random(shape, "q0"), random(shape, "q1")]
      let parts = [
        KeyValues(keys: random(shape, "k0"), values: random(shape, "v0")),
        KeyValues(keys: random(shape, "k1"), values: random(shape, "v1")),
      ]
      return { for query in queries { _ = query.attending(to: parts) } }
    }
  }

  /// A whole block with expert, forward, two streams.
  package static func block(videoTokens: Int, dtype: DType) -> Benchmark {
    let (tokens, width) = (textTokens + videoTokens, configuration.hiddenSize)
    let products = 2.0 * 2 * Double(tokens) * Double(width) * Double(12 * width)
    let attention = 4.0 * Double(width) * Double(2 * tokens) * Double(2 * tokens)
    return Benchmark(
      name: "expert block", detail: "CogVideoX-5B, two streams of \(textTokens) + \(videoTokens) tokens, \(dtype.rawValue)",
      gigaflops: 1e-9 * (products + attention)
    ) {
      let configuration = configuration
      let loader = ParameterLoader(RandomSource(seed: 1, dtype: dtype))
      let block = MixtureBlock(
        base: CogVideoXBranch(loader.root, suffix: "", configuration),
        expert: CogVideoXBranch(loader.root, suffix: expertSuffix, configuration))
      let angles = random([videoTokens, configuration.headSize], "angles")
      let conditioning = CogVideoXConditioning(
        timeEmbedding: random([1, configuration.timeEmbeddingSize], "time"),
        rotary: RotaryTable(cosines: angles, sines: angles), textCount: textTokens)
      let streams = MixtureStreams(
        target: random([1, tokens, width], "target"), reference: random([1, tokens, width], "reference"))
      let context = RunContext()
      return {
        _ = block(streams, target: conditioning, reference: conditioning, isLastExpert: false, context: context)
      }
    }
  }

  private static func random(_ shape: Shape, _ name: String) -> Tensor {
    var generator = RandomGenerator(seed: 7, nextStream: UInt64(name.utf8.reduce(0) { $0 * 31 + Int($1) }))
    return .normal(shape, from: &generator)
  }
}
