import Checkpoints
import Compute
import Layers
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import VideoTransformers

@Suite("Wan transformer")
struct WanTransformerTests {
  private static let configuration: WanConfiguration = {
    var configuration = WanConfiguration()
    configuration.headCount = 2
    configuration.headSize = 16
    configuration.inChannels = 9
    configuration.outChannels = 3
    configuration.textEmbeddingSize = 12
    configuration.imageEmbeddingSize = 10
    configuration.frequencySize = 8
    configuration.feedForwardSize = 20
    configuration.layerCount = 3
    configuration.expertLayers = [0, 1]
    return configuration
  }()

  private func model(_ configuration: WanConfiguration, dtype: DType = .float32) -> WanTransformer {
    WanTransformer(ParameterLoader(RandomSource(seed: 3, dtype: dtype)).root, configuration)
  }

  private func input(references: Int, batch: Int = 1, patch: [Int] = [1, 2, 2]) -> WanInput {
    var generator = RandomGenerator(seed: 5)
    let (frames, height, width) = (2, 4, 8)
    let grid = WanRotaryGrid(headSize: 16, frames: frames, rows: height / patch[1], columns: width / patch[2])
    func normal(_ shape: Shape) -> Tensor { .normal(shape, from: &generator) }
    return WanInput(
      latents: normal([batch, 9, frames, height, width]), text: normal([batch, 7, 12]), image: normal([batch, 5, 10]),
      timesteps: Array(repeating: 421, count: batch), rotary: grid.targetTable(),
      reference: references == 0
        ? nil
        : WanInput.Reference(
          latents: normal([batch, 9, frames * references, height, width]), text: normal([batch, 7 * references, 12]),
          image: normal([batch, 5 * references, 10]), timesteps: (0..<references).map { Float(1 + $0) },
          rotary: grid.referenceTable(count: references, .temporalBias)))
  }

  @Test(
    "the published model has the published tensors",
    arguments: [
      (Array(stride(from: 0, to: 40, by: 4)), 1643, 20_674_265_664), (Array(stride(from: 0, to: 40, by: 2)), 1963, 0),
      (Array(0..<40), 2603, 0),
    ])
  func publishedSize(expertLayers: [Int], tensors: Int, elements: Int) {
    var configuration = WanConfiguration()
    configuration.inChannels = 36
    configuration.expertLayers = expertLayers
    // Missing tensors stand in as zeros that take no memory.
    struct Nothing: ParameterSource {
      let keys: [String] = []
      let description = "nothing"
      func tensor(_ key: String, _ shape: Shape) -> Tensor? { nil }
    }
    let loader = ParameterLoader(Nothing())
    _ = WanTransformer(loader.root, configuration)
    #expect(loader.parameters.count == tensors)
    if elements > 0 { #expect(loader.parameters.reduce(0) { $0 + $1.shape.count } == elements) }
    let shapes = Dictionary(uniqueKeysWithValues: loader.parameters.map { ($0.key, $0.shape) })
    #expect(shapes["patch_embedding_mot_ref.weight"] == [5120, 36, 1, 2, 2])
    #expect(shapes["condition_embedder.time_proj.weight"] == [30720, 5120])
    #expect(shapes["condition_embedder.image_embedder.ff.net.0.proj.weight"] == [1280, 1280])
    #expect(shapes["blocks.0.scale_shift_table_mot_ref"] == [1, 6, 5120])
    #expect(shapes["blocks.4.attn2_mot_ref.norm_added_k.weight"] == [5120])
    #expect(shapes["blocks.39.ffn.net.0.proj.weight"] == [13824, 5120])
    #expect(shapes["scale_shift_table"] == [1, 2, 5120])
    #expect(shapes["proj_out.weight"] == [64, 5120])
  }

  @Test("a prediction has the shape of the latents", arguments: 0...3, [[1, 2, 2], [1, 1, 4], [1, 4, 1]])
  func shape(references: Int, patch: [Int]) throws {
    var configuration = Self.configuration
    configuration.patchSize = patch
    let output = try model(configuration)(input(references: references, patch: patch))
    #expect(output.shape == [1, 3, 2, 4, 8])
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

  @Test("samples of a batch do not mix, and each has a timestep of its own")
  func samplesAreIndependent() throws {
    let pair = input(references: 2, batch: 2)
    let transformer = model(Self.configuration)
    let timesteps: [Float] = [12.5, 900]
    func slice(_ tensor: Tensor, _ sample: Int) -> Tensor { tensor.sliced(0, sample..<sample + 1) }
    func part(_ sample: Int?) throws -> Tensor {
      let reference = try #require(pair.reference)
      func take(_ tensor: Tensor) -> Tensor { sample.map { slice(tensor, $0) } ?? tensor }
      return try transformer(
        WanInput(
          latents: take(pair.latents), text: take(pair.text), image: take(pair.image),
          timesteps: sample.map { [timesteps[$0]] } ?? timesteps, rotary: pair.rotary,
          reference: .init(
            latents: take(reference.latents), text: take(reference.text), image: take(reference.image),
            timesteps: reference.timesteps, rotary: reference.rotary)))
    }
    let together = try part(nil)
    for sample in 0..<2 {
      expectClose(try part(sample), slice(together, sample).dense(), absolute: 1e-5, "sample \(sample)")
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

  @Test("a block without expert passes the references through unchanged")
  func referencesPassThrough() throws {
    var configuration = Self.configuration
    configuration.expertLayers = [0, 2]
    let seen = Mutex<[String: Tensor]>([:])
    _ = try model(configuration)(
      input(references: 1), context: RunContext(observer: { name, tensor in seen.withLock { $0[name] = tensor } }))
    let tensors = seen.withLock { $0 }
    let first = try #require(tensors["block0.reference"])
    #expect(tensors["block1.reference"]?.floats() == first.floats())
    #expect(tensors["block2.reference"]?.floats() != first.floats())
    #expect(tensors["block1.target"]?.floats() != tensors["block0.target"]?.floats())
  }

  @Test("references whose tokens, positions, captions and timesteps change places give the same prediction")
  func referenceOrder() throws {
    let original = input(references: 2)
    let reference = try #require(original.reference)
    func swapped(_ tensor: Tensor, _ axis: Int) -> Tensor {
      let half = tensor.shape[axis] / 2
      return .concatenated([tensor.sliced(axis, half..<2 * half), tensor.sliced(axis, 0..<half)], axis: axis)
    }
    let table = reference.rotary
    let exchanged = WanInput(
      latents: original.latents, text: original.text, image: original.image, timesteps: original.timesteps,
      rotary: original.rotary,
      reference: .init(
        latents: swapped(reference.latents, 2), text: swapped(reference.text, 1), image: swapped(reference.image, 1),
        timesteps: reference.timesteps.reversed(),
        rotary: RotaryTable(cosines: swapped(table.cosines, 0), sines: swapped(table.sines, 0))))
    let transformer = model(Self.configuration)
    expectClose(try transformer(exchanged), try transformer(original), absolute: 1e-5, "prediction")
    // Captions alone are not interchangeable: each reference attends to its own.
    let mixed = WanInput(
      latents: original.latents, text: original.text, image: original.image, timesteps: original.timesteps,
      rotary: original.rotary,
      reference: .init(
        latents: reference.latents, text: swapped(reference.text, 1), image: reference.image,
        timesteps: reference.timesteps, rotary: reference.rotary))
    #expect(try transformer(mixed).floats() != transformer(original).floats())
  }

  @Test("paging segments in and out changes nothing, nor do 16-bit weights against their widened values")
  func storage() throws {
    let transformer = model(Self.configuration)
    let kept = try transformer(input(references: 1), context: RunContext(paging: .keep))
    #expect(try transformer(input(references: 1), context: RunContext(paging: .release)).floats() == kept.floats())
    struct Widened: ParameterSource {
      let source = RandomSource(seed: 3, dtype: .bfloat16)
      var keys: [String] { [] }
      var description: String { "widened" }
      func tensor(_ key: String, _ shape: Shape) throws -> Tensor? { source.tensor(key, shape)?.dense() }
    }
    let stored = try model(Self.configuration, dtype: .bfloat16)(input(references: 1))
    let widened = try WanTransformer(ParameterLoader(Widened()).root, Self.configuration)(input(references: 1))
    #expect(stored.floats() == widened.floats())
  }
}
