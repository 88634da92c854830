import Checkpoints
import Compute
import Layers
import Tensors
import TestSupport
import Testing

@testable import VideoTransformers

/// Gradients of a block and of a whole model; recorded gradients of the published implementation are compared by the
/// verifier.
@Suite("Wan gradients")
struct WanGradientTests {
  private static func configuration(expertLayers: [Int]) -> WanConfiguration {
    var configuration = WanConfiguration()
    configuration.headCount = 2
    configuration.headSize = 16
    configuration.inChannels = 9
    configuration.outChannels = 3
    configuration.textEmbeddingSize = 12
    configuration.imageEmbeddingSize = 10
    configuration.frequencySize = 8
    configuration.feedForwardSize = 20
    configuration.layerCount = 5
    configuration.expertLayers = expertLayers
    return configuration
  }

  private struct Model {
    let transformer: WanTransformer
    let parameters: [Parameter]

    init(expertLayers: [Int], training isTrainable: @escaping @Sendable (String) -> Bool) {
      let loader = ParameterLoader(RandomSource(seed: 3), training: isTrainable)
      transformer = WanTransformer(loader.root, WanGradientTests.configuration(expertLayers: expertLayers))
      parameters = loader.parameters.filter(\.isTrainable)
    }

    /// Two references for a batch of two.
    func output(recomputesSegments: Bool = false) throws -> Tensor {
      var generator = RandomGenerator(seed: 5)
      func normal(_ shape: Shape) -> Tensor { .normal(shape, from: &generator) }
      let grid = WanRotaryGrid(headSize: 16, frames: 2, rows: 2, columns: 4)
      return try transformer(
        WanInput(
          latents: normal([2, 9, 2, 4, 8]), text: normal([2, 7, 12]), image: normal([2, 5, 10]), timesteps: [421, 38],
          rotary: grid.targetTable(),
          reference: .init(
            latents: normal([2, 9, 4, 4, 8]), text: normal([2, 14, 12]), image: normal([2, 10, 10]),
            timesteps: [1, 30], rotary: grid.referenceTable(count: 2, .temporalBias))),
        context: RunContext(recomputesSegments: recomputesSegments))
    }

    func gradients(recomputesSegments: Bool = false) throws -> [String: [Float]] {
      let output = try output(recomputesSegments: recomputesSegments)
      let found = try output.backward(.random(output.shape, seed: 7))
      return Dictionary(
        uniqueKeysWithValues: parameters.compactMap { parameter in
          found[parameter.tensor].map { (parameter.key, $0.floats()) }
        })
    }
  }

  /// Every fourth block as published, every second, and all.
  private static let distributions = [[0, 4], [0, 2, 4], [0, 1, 2, 3, 4]]

  @Test("recording changes no output, and recomputing no bit of any gradient", arguments: distributions)
  func recomputation(expertLayers: [Int]) throws {
    let model = Model(expertLayers: expertLayers, training: WanTransformer.isExpertWeight)
    let frozen = try Model(expertLayers: expertLayers, training: { _ in false }).output()
    #expect(!frozen.isRecorded)
    #expect(try model.output().floats() == frozen.floats())
    #expect(try model.output(recomputesSegments: true).floats() == frozen.floats())
    let gradients = try model.gradients()
    #expect(try model.gradients(recomputesSegments: true) == gradients)
    #expect(try withThreads(1) { try model.gradients() } == gradients)
  }

  @Test(
    "of the last expert only what makes keys and values has gradients, and all of the others' parameters",
    arguments: distributions)
  func lastExpert(expertLayers: [Int]) throws {
    let model = Model(expertLayers: expertLayers, training: WanTransformer.isExpertWeight)
    let found = Set(try model.gradients().keys)
    let without = Set(model.parameters.map(\.key)).subtracting(found)
    let branch = "blocks.4."
    #expect(without.allSatisfy { $0.hasPrefix(branch) })
    #expect(
      Set(found.filter { $0.hasPrefix(branch) }.map { $0.dropFirst(branch.count) }) == [
        "scale_shift_table_mot_ref", "attn1_mot_ref.to_k.weight", "attn1_mot_ref.to_k.bias",
        "attn1_mot_ref.to_v.weight", "attn1_mot_ref.to_v.bias", "attn1_mot_ref.norm_k.weight",
      ])
    #expect(
      Set(without.filter(model.transformer.makesUnreadQueries)) == [
        "\(branch)attn1_mot_ref.to_q.weight", "\(branch)attn1_mot_ref.to_q.bias",
        "\(branch)attn1_mot_ref.norm_q.weight",
      ])
    #expect(!model.transformer.makesUnreadQueries("blocks.0.attn1_mot_ref.to_q.weight"))
  }

  @Test(
    "the model's gradients agree with central differences",
    arguments: [
      "blocks.0.attn1_mot_ref.norm_q.weight", "blocks.0.scale_shift_table_mot_ref", "blocks.1.attn2.to_v.weight",
      "patch_embedding_mot_ref.weight", "condition_embedder_mot_ref.time_proj.weight",
      "condition_embedder_mot_ref.image_embedder.norm1.weight",
      "condition_embedder_mot_ref.text_embedder.linear_1.bias",
      "scale_shift_table", "proj_out.weight",
    ])
  func centralDifferences(key: String) throws {
    let model = Model(expertLayers: [0, 4], training: { $0 == key })
    let parameter = try #require(model.parameters.first)
    let value = parameter.tensor.detached
    let output = try model.output()
    let weights = Tensor.random(output.shape, seed: 7)
    let gradient = try #require(try output.backward(weights)[parameter.tensor])
    try expectSlopes(gradient, at: value, weights: weights, samples: 4, key) { moved in
      parameter.update(to: moved)
      return try model.output()
    }
  }

  // MARK: One block

  /// A block with expert whose every input may be a variable: both streams, with two references, and what they are
  /// processed under.
  private struct Block {
    let block: MixtureBlock<WanBranch>
    let parameters: [Parameter]

    init(training isTrainable: @escaping @Sendable (String) -> Bool = { _ in false }) {
      let configuration = WanGradientTests.configuration(expertLayers: [0])
      let loader = ParameterLoader(RandomSource(seed: 11), training: isTrainable)
      block = MixtureBlock(
        base: WanBranch(loader.root, suffix: "", configuration),
        expert: WanBranch(loader.root, suffix: expertSuffix, configuration))
      parameters = loader.parameters
    }

    /// Target, its modulation, text and image; the references, and theirs one after the other.
    static let inputs: [Tensor] = {
      let clip: [Shape] = [[1, 6, 32], [1, 4, 32], [1, 3, 32]]
      let shapes: [Shape] = [[1, 8, 32]] + clip + [[1, 16, 32]] + clip + clip
      return shapes.enumerated().map { .random($1, seed: UInt64(20 + $0)).scaled(by: 0.5) }
    }()

    /// Both streams after the block, joined.
    func output(_ inputs: [Tensor] = Self.inputs) -> Tensor {
      let grid = WanRotaryGrid(headSize: 16, frames: 2, rows: 2, columns: 2)
      func part(_ tokens: Range<Int>, _ first: Int) -> WanConditioning.Part {
        WanConditioning.Part(
          tokens: tokens, modulation: inputs[first], text: inputs[first + 1], image: inputs[first + 2])
      }
      let streams = block(
        MixtureStreams(target: inputs[0], reference: inputs[4]),
        target: WanConditioning(parts: [part(0..<8, 1)], rotary: grid.targetTable()),
        reference: WanConditioning(
          parts: [part(0..<8, 5), part(8..<16, 8)], rotary: grid.referenceTable(count: 2, .temporalBias)),
        isLastExpert: false, context: RunContext())
      return .concatenated(streams.tensors, axis: 1)
    }
  }

  @Test("a block's gradients with respect to all of its inputs agree with central differences")
  func blockInputs() throws {
    let block = Block()
    try expectGradient(of: Block.inputs, samples: 6) { block.output($0) }
  }

  @Test("a block's gradients with respect to all of its parameters agree with central differences")
  func blockParameters() throws {
    let block = Block { _ in true }
    let output = block.output()
    let weights = Tensor.random(output.shape, seed: 7)
    let found = try output.backward(weights)
    #expect(block.parameters.count == 64)
    for parameter in block.parameters {
      let value = parameter.tensor.detached
      let gradient = try #require(found[parameter.tensor], "\(parameter.key)")
      try expectSlopes(gradient, at: value, weights: weights, samples: 3, parameter.key) { moved in
        parameter.update(to: moved)
        return block.output()
      }
      parameter.update(to: value)
    }
  }
}
