import Checkpoints
import Compute
import Layers
import Tensors
import TestSupport
import Testing

@testable import VideoTransformers

/// Gradients of a whole model with expert blocks; recorded gradients of the published implementation are compared by
/// the verifier.
@Suite("CogVideoX gradients")
struct CogVideoXGradientTests {
  private static let configuration: CogVideoXConfiguration = {
    var configuration = CogVideoXConfiguration()
    configuration.headCount = 2
    configuration.headSize = 16
    configuration.inChannels = 8
    configuration.outChannels = 4
    configuration.timeEmbeddingSize = 16
    configuration.textEmbeddingSize = 12
    configuration.layerCount = 4
    configuration.sampleWidth = 8
    configuration.sampleHeight = 4
    configuration.sampleFrames = 5
    configuration.maxTextLength = 5
    configuration.usesRotaryEmbeddings = true
    configuration.expertLayers = [0, 2]
    return configuration
  }()

  private struct Model {
    let transformer: CogVideoXTransformer
    let parameters: [Parameter]

    init(training isTrainable: @escaping @Sendable (String) -> Bool) {
      let loader = ParameterLoader(RandomSource(seed: 3), training: isTrainable)
      transformer = CogVideoXTransformer(loader.root, CogVideoXGradientTests.configuration)
      parameters = loader.parameters.filter(\.isTrainable)
    }

    func output(recomputesSegments: Bool = false) throws -> Tensor {
      var generator = RandomGenerator(seed: 5)
      let grid = RotaryGrid(headSize: 16, baseRows: 2, baseColumns: 4, frames: 2, rows: 2, columns: 4)
      return try transformer(
        CogVideoXInput(
          latents: .normal([1, 2, 8, 4, 8], from: &generator), text: .normal([1, 5, 12], from: &generator),
          timesteps: [421], rotary: grid.targetTable(),
          reference: .init(
            latents: .normal([1, 4, 8, 4, 8], from: &generator), text: .normal([1, 10, 12], from: &generator),
            rotary: grid.referenceTable(count: 2, .temporalBias))),
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

  @Test("Recording changes no output, and recomputing no bit of any gradient")
  func recomputation() throws {
    let model = Model(training: CogVideoXTransformer.isExpertWeight)
    let frozen = try Model(training: { _ in false }).output()
    #expect(!frozen.isRecorded)
    #expect(try model.output().floats() == frozen.floats())
    #expect(try model.output(recomputesSegments: true).floats() == frozen.floats())
    let gradients = try model.gradients()
    #expect(try model.gradients(recomputesSegments: true) == gradients)
    #expect(try withThreads(1) { try model.gradients() } == gradients)
  }

  @Test("Of the last expert only keys and values have gradients, and all of the other's parameters")
  func lastExpert() throws {
    let model = Model(training: CogVideoXTransformer.isExpertWeight)
    let found = Set(try model.gradients().keys)
    let without = Set(model.parameters.map(\.key)).subtracting(found)
    let branch = "transformer_blocks.2."
    #expect(without.allSatisfy { $0.hasPrefix(branch) })
    #expect(
      found.filter { $0.hasPrefix(branch) }.allSatisfy { key in
        ["to_k", "to_v", "norm_k", "norm1"].contains { key.contains($0) }
      })
    #expect(
      without.filter(model.transformer.makesUnreadQueries)
        == without.filter { key in
          key.contains("to_q") || key.contains("norm_q")
        })
    #expect(!model.transformer.makesUnreadQueries("transformer_blocks.0.attn1_mot_ref.to_q.weight"))
  }

  @Test(
    "An expert block's gradients agree with central differences",
    arguments: [
      "transformer_blocks.0.attn1_mot_ref.to_q.weight", "transformer_blocks.0.attn1_mot_ref.norm_k.bias",
      "transformer_blocks.0.norm1_mot_ref.linear.weight", "transformer_blocks.0.ff_mot_ref.net.0.proj.weight",
      "transformer_blocks.0.norm2_mot_ref.norm.weight", "transformer_blocks.1.attn1.to_v.weight",
      "patch_embed_mot_ref.proj.weight", "time_embedding_mot_ref.linear_1.bias", "norm_out.linear.weight",
    ])
  func centralDifferences(key: String) throws {
    let model = Model(training: { $0 == key })
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
}
