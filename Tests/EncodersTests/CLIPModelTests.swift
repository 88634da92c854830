import Checkpoints
import Compute
import Layers
import Tensors
import TestSupport
import Testing

@testable import Encoders

@Suite("CLIP model")
struct CLIPModelTests {
  static let file = Fixtures.path("evaluation/clip_b32_tiny.safetensors")

  private static func pixels(_ count: Int = 1) -> Tensor { .random([count, 3, 224, 224]) }

  /// Token ids that end with the largest, filled up with zeros.
  private static func ids(_ tokens: [Int32]) -> [Int32] {
    let kept = [1022] + tokens + [1023]
    return kept + [Int32](repeating: 0, count: 77 - kept.count)
  }

  @Test("sizes are read from the weights")
  func sizes() throws {
    let model = try CLIPModel(file: Self.file)
    let (vision, text) = (model.vision.configuration, model.text.configuration)
    #expect(vision.imageSize == 224 && vision.patchSize == 32 && vision.projectionSize == 64)
    #expect(vision.transformer.width == 128 && vision.transformer.headCount == 2 && vision.transformer.layerCount == 2)
    #expect(text.vocabularySize == 1024 && text.contextLength == 77 && text.projectionSize == 64)
    #expect(text.transformer.width == 128 && text.transformer.headCount == 2 && text.transformer.layerCount == 2)
    #expect(text.transformer.feedForwardSize == 512)
  }

  @Test("the layout of the transformers library gives the same embeddings")
  func layouts() throws {
    let source = OpenAICLIPSource(try WeightStore(file: Self.file))
    let directory = try TemporaryDirectory()
    let path = directory.file("model.safetensors")
    var tensors = try source.keys.map { key in
      (name: key, tensor: try #require(try source.tensor(key, [])).gathered())
    }
    #expect(
      tensors.contains { $0.name == "text_model.encoder.layers.1.self_attn.v_proj.bias" && $0.tensor.shape == [128] })
    // Older files carry the numbers of positions.
    tensors.append((name: "text_model.embeddings.position_ids", tensor: .zeros([1, 77])))
    try SafetensorsWriter.write(tensors, to: path)
    let (first, second) = (try CLIPModel(file: Self.file), try CLIPModel(file: path))
    let (pixels, ids) = (Self.pixels(), [Self.ids([320, 816])])
    #expect(
      try first.vision.embedding(of: pixels, context: RunContext()).floats()
        == second.vision.embedding(of: pixels, context: RunContext()).floats())
    #expect(
      try first.text.embedding(of: ids, context: RunContext()).floats()
        == second.text.embedding(of: ids, context: RunContext()).floats())
  }

  @Test("a text is embedded where its largest token stands; what follows it changes nothing, what precedes does")
  func causality() throws {
    let model = try CLIPModel(file: Self.file)
    let ids = Self.ids([320, 816, 531])
    var (later, earlier) = (ids, ids)
    later[10] = 500
    earlier[2] = 500
    let embeddings = try model.text.embedding(of: [ids, later, earlier], context: RunContext())
    #expect(embeddings[0].floats() == embeddings[1].floats())
    expectClose(embeddings[0], try model.text.embedding(of: [ids], context: RunContext())[0], absolute: 1e-6)
    #expect(embeddings[0].floats() != embeddings[2].floats())
  }

  @Test("images of a batch are embedded each by itself")
  func batches() throws {
    let model = try CLIPModel(file: Self.file)
    let pixels = Self.pixels(3)
    let whole = try model.vision.embedding(of: pixels, context: RunContext())
    for index in 0..<3 {
      let single = try model.vision.embedding(of: pixels.sliced(0, index..<index + 1).dense(), context: RunContext())
      expectClose(single[0], whole[index], absolute: 1e-5)
    }
  }

  @Test("a file of another model, one with a tensor too many and one with a tensor missing are refused by name")
  func refusals() throws {
    #expect(throws: LoadingFailure.self) { try CLIPModel(file: Fixtures.path("evaluation/amt_s.safetensors")) }
    let reader = try SafetensorsReader(path: Self.file)
    let tensors = try reader.names.map { (name: $0, tensor: try reader.tensor(named: $0)) }
    let directory = try TemporaryDirectory()
    let more = directory.file("more.safetensors")
    try SafetensorsWriter.write(tensors + [(name: "visual.extra", tensor: .zeros([1]))], to: more)
    let unexpected = #expect(throws: LoadingFailure.self) { try CLIPModel(file: more) }
    #expect(unexpected?.unused == ["visual.extra"])
    let less = directory.file("less.safetensors")
    try SafetensorsWriter.write(tensors.filter { $0.name != "transformer.resblocks.1.attn.in_proj_bias" }, to: less)
    let missing = #expect(throws: LoadingFailure.self) { try CLIPModel(file: less) }
    #expect(missing?.missing.count == 3)
  }
}
