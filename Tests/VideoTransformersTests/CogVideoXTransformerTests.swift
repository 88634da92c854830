import Checkpoints
import Compute
import Layers
import Tensors
import TestSupport
import Testing

@testable import VideoTransformers

@Suite("CogVideoX transformer")
struct CogVideoXTransformerTests {
  private static let configuration: CogVideoXConfiguration = {
    var configuration = CogVideoXConfiguration()
    configuration.headCount = 2
    configuration.headSize = 16
    configuration.inChannels = 8
    configuration.outChannels = 4
    configuration.timeEmbeddingSize = 16
    configuration.textEmbeddingSize = 12
    configuration.layerCount = 3
    configuration.sampleWidth = 8
    configuration.sampleHeight = 4
    configuration.sampleFrames = 5
    configuration.maxTextLength = 5
    configuration.usesRotaryEmbeddings = true
    configuration.expertLayers = [0, 1]
    return configuration
  }()

  private func model(_ configuration: CogVideoXConfiguration, dtype: DType = .float32) -> CogVideoXTransformer {
    CogVideoXTransformer(ParameterLoader(RandomSource(seed: 3, dtype: dtype)).root, configuration)
  }

  private func input(references: Int, batch: Int = 1) -> CogVideoXInput {
    var generator = RandomGenerator(seed: 5)
    let grid = RotaryGrid(headSize: 16, baseRows: 2, baseColumns: 4, frames: 2, rows: 2, columns: 4)
    let latents = Tensor.normal([batch, 2, 8, 4, 8], from: &generator)
    let text = Tensor.normal([batch, 5, 12], from: &generator)
    let reference =
      references == 0
      ? nil
      : CogVideoXInput.Reference(
        latents: .normal([batch, 2 * references, 8, 4, 8], from: &generator),
        text: .normal([batch, 5 * references, 12], from: &generator),
        rotary: grid.referenceTable(count: references, .temporalBias))
    return CogVideoXInput(
      latents: latents, text: text, timesteps: Array(repeating: 421, count: batch), rotary: grid.targetTable(),
      reference: reference)
  }

  @Test("a prediction has the shape of the latents", arguments: 0...3)
  func shape(references: Int) throws {
    let output = try model(Self.configuration)(input(references: references))
    #expect(output.shape == [1, 2, 4, 4, 8])
    #expect(output.nonFiniteCount == 0)
  }

  @Test("the reference changes the prediction, and without one the expert's weights do not matter")
  func referenceMatters() throws {
    let whole = model(Self.configuration)
    let base = model(Self.configuration.base)
    let with = try whole(input(references: 1)).floats()
    let without = try whole(input(references: 0)).floats()
    #expect(with != without)
    #expect(try base(input(references: 0)).floats() == without)
  }

  @Test("samples of a batch do not mix")
  func samplesAreIndependent() throws {
    let pair = input(references: 1, batch: 2)
    let transformer = model(Self.configuration)
    let together = try transformer(pair)
    for sample in 0..<2 {
      let alone = CogVideoXInput(
        latents: pair.latents.sliced(0, sample..<sample + 1), text: pair.text.sliced(0, sample..<sample + 1),
        timesteps: [421], rotary: pair.rotary,
        reference: pair.reference.map {
          .init(
            latents: $0.latents.sliced(0, sample..<sample + 1), text: $0.text.sliced(0, sample..<sample + 1),
            rotary: $0.rotary)
        })
      expectClose(
        try transformer(alone), together.sliced(0, sample..<sample + 1).dense(), absolute: 1e-5, "sample \(sample)")
    }
  }

  @Test(
    "leaving out unread work changes no bit, wherever the last expert stands",
    arguments: [[0], [1], [2, 0], [0, 1, 2]])
  func unreadWork(layers: [Int]) throws {
    var configuration = Self.configuration
    configuration.expertLayers = layers
    let transformer = model(configuration)
    let whole = try transformer(input(references: 2), context: RunContext(observer: { _, _ in }))
    #expect(try transformer(input(references: 2)).floats() == whole.floats())
  }

  @Test("references of which all tokens and positions change places give the same prediction")
  func referenceOrder() throws {
    let original = input(references: 2)
    let reference = try #require(original.reference)
    func swapped(_ tensor: Tensor, _ axis: Int) -> Tensor {
      let half = tensor.shape[axis] / 2
      return .concatenated([tensor.sliced(axis, half..<2 * half), tensor.sliced(axis, 0..<half)], axis: axis)
    }
    let rotary = try #require(reference.rotary)
    let exchanged = CogVideoXInput(
      latents: original.latents, text: original.text, timesteps: original.timesteps, rotary: original.rotary,
      reference: .init(
        latents: swapped(reference.latents, 1), text: swapped(reference.text, 1),
        rotary: RotaryTable(cosines: swapped(rotary.cosines, 0), sines: swapped(rotary.sines, 0))))
    let transformer = model(Self.configuration)
    expectClose(try transformer(exchanged), try transformer(original), absolute: 1e-5, "prediction")
  }

  @Test("weights stored as bfloat16 give what their rounded values give in float32")
  func storedAsBFloat16() throws {
    // The same values twice: stored in 16 bits, and widened before the model is built.
    struct Widened: ParameterSource {
      let source = RandomSource(seed: 3, dtype: .bfloat16)
      var keys: [String] { [] }
      var description: String { "widened" }
      func tensor(_ key: String, _ shape: Shape) throws -> Tensor? { source.tensor(key, shape)?.dense() }
    }
    let stored = model(Self.configuration, dtype: .bfloat16)
    let widened = CogVideoXTransformer(ParameterLoader(Widened()).root, Self.configuration)
    #expect(try stored(input(references: 1)).floats() == widened(input(references: 1)).floats())
  }

  @Test("paging segments in and out changes nothing")
  func paging() throws {
    let transformer = model(Self.configuration)
    let kept = try transformer(input(references: 1), context: RunContext(paging: .keep))
    #expect(try transformer(input(references: 1), context: RunContext(paging: .release)).floats() == kept.floats())
  }
}
