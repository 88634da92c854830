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
    Benchmark(
      name: "expert block",
      detail: "CogVideoX-5B, two streams of \(textTokens) + \(videoTokens) tokens, weights \(dtype.rawValue)",
      work: .arithmetic(gigaflops: 2 * (linearGigaflops + modulationGigaflops) + attentionGigaflops),
      prepareProducts: { blockProducts() }
    ) {
      let expertBlock = makeBlock { _ in false }
      return { _ = expertBlock.run(expertBlock.streams) }
    }
  }

  /// The same block in training, with a frozen base and a trained expert: forward, and backward with recomputation, from
  /// streams that gradients flow on through.
  package var trainingBlock: Benchmark {
    // Backward, a linear map does as much again for its input, and once more for a weight that is trained; attention does
    // five products where it does two forward.
    let forward = 2 * (linearGigaflops + modulationGigaflops) + attentionGigaflops
    let backward = 3 * linearGigaflops + modulationGigaflops + 2.5 * attentionGigaflops
    return Benchmark(
      name: "training block",
      detail: "forward, recomputed, backward; two streams of \(textTokens) + \(videoTokens) tokens, frozen weights "
        + dtype.rawValue,
      work: .arithmetic(gigaflops: 2 * forward + backward)
    ) {
      let expertBlock = makeBlock { $0.contains(expertSuffix) }
      let slope = Tensor.benchmarkInput([1, 2 * tokens, width], "slope")
      let streams = expertBlock.streams
      return {
        let inputs = MixtureStreams(
          target: streams.target.asVariable(), reference: streams.reference?.asVariable())
        let outputs = try recomputed(inputs) { expertBlock.run($0) }
        _ = try Tensor.concatenated(outputs.tensors, axis: 1).backward(slope)
      }
    }
  }

  /// A block with its inputs.
  private struct ExpertBlock: Sendable {
    let block: MixtureBlock<CogVideoXBranch>
    let conditioning: CogVideoXConditioning
    let streams: MixtureStreams

    func run(_ streams: MixtureStreams) -> MixtureStreams {
      block(
        streams, target: conditioning, reference: conditioning, isLastExpert: false, context: RunContext())
    }
  }

  /// - Parameter isTrained: these weights are in float32, whatever the type of the others.
  private func makeBlock(training isTrained: @escaping @Sendable (String) -> Bool) -> ExpertBlock {
    let loader = ParameterLoader(RandomSource(seed: 1, dtype: dtype), training: isTrained)
    let block = MixtureBlock(
      base: CogVideoXBranch(loader.root, suffix: "", configuration),
      expert: CogVideoXBranch(loader.root, suffix: expertSuffix, configuration))
    for parameter in loader.parameters where parameter.isTrainable {
      parameter.update(to: parameter.tensor.detached.stored(as: .float32))
    }
    let angles = Tensor.benchmarkInput([videoTokens, configuration.headSize], "angles")
    return ExpertBlock(
      block: block,
      conditioning: CogVideoXConditioning(
        timeEmbedding: .benchmarkInput([1, configuration.timeEmbeddingSize], "time"),
        rotary: RotaryTable(cosines: angles, sines: angles), textCount: textTokens),
      streams: MixtureStreams(
        target: .benchmarkInput([1, tokens, width], "target"),
        reference: .benchmarkInput([1, tokens, width], "reference")))
  }

  /// Of one branch, forward.
  private var linearGigaflops: Double { 2e-9 * Double(tokens) * Double(width) * Double(12 * width) }
  /// Of one branch's two modulated norms, forward.
  private var modulationGigaflops: Double { 4e-9 * Double(configuration.timeEmbeddingSize) * Double(6 * width) }
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
