import Checkpoints
import Compute
import Layers
import Tensors

/// Both encoders of CLIP, whose embeddings of images and texts can be compared.
package struct CLIPModel: Sendable {
  package let vision: CLIPVisionEncoder
  package let text: CLIPTextEncoder

  /// Loads a weight file in either published layout: OpenAI's (`ViT-B-32.pt`, `ViT-L-14.pt`) or that of the transformers
  /// library (`model.safetensors`, `pytorch_model.bin`).
  ///
  /// All sizes are read from the shapes of the weights. Throws the reader's errors, or `LoadingFailure`.
  package init(file: String) throws {
    let store = try WeightStore(anyFile: file)
    let source: any ParameterSource = store.contains("visual.conv1.weight") ? OpenAICLIPSource(store) : store
    try self.init(source)
  }

  private init(_ source: any ParameterSource) throws {
    let sizes = CLIPSizes(source)
    let loader = ParameterLoader(source)
    vision = CLIPVisionEncoder(loader.root, sizes.vision, isProjected: true)
    text = CLIPTextEncoder(loader.root, sizes.text)
    try loader.finishExactly { key in
      key == "logit_scale" || key.hasSuffix("embeddings.position_ids") || OpenAICLIPSource.isUnusedKey(key)
    }
  }
}

/// Sizes of a model as its weights show them. Where a weight is missing or of another rank the published size stands in,
/// and loading will say what is missing.
private struct CLIPSizes {
  var vision = CLIPVisionConfiguration()
  var text = CLIPTextConfiguration()

  init(_ source: any ParameterSource) {
    let keys = Set(source.keys)
    func extents(_ key: String, rank: Int) -> [Int]? {
      guard keys.contains(key), let tensor = try? source.tensor(key, []), tensor.rank == rank,
        tensor.shape.extents.allSatisfy({ $0 > 0 })
      else { return nil }
      return tensor.shape.extents
    }
    func transformer(_ path: String, width: Int) -> CLIPTransformerShape {
      var layers = 0
      while keys.contains("\(path).encoder.layers.\(layers).layer_norm1.weight") { layers += 1 }
      let hidden = extents("\(path).encoder.layers.0.mlp.fc1.weight", rank: 2)?[0] ?? 4 * width
      // Heads have 64 channels in all published sizes.
      return CLIPTransformerShape(
        width: width, headCount: width % 64 == 0 ? width / 64 : 1, feedForwardSize: hidden, layerCount: layers)
    }
    if let patch = extents("vision_model.embeddings.patch_embedding.weight", rank: 4),
      let tokens = extents("vision_model.embeddings.position_embedding.weight", rank: 2)?[0]
    {
      vision.transformer = transformer("vision_model", width: patch[0])
      vision.patchSize = patch[2]
      let side = Int(Double(tokens - 1).squareRoot().rounded())
      vision.imageSize = max(side, 1) * patch[2]
    }
    vision.projectionSize = extents("visual_projection.weight", rank: 2)?[0] ?? vision.projectionSize
    if let tokens = extents("text_model.embeddings.token_embedding.weight", rank: 2) {
      text.transformer = transformer("text_model", width: tokens[1])
      text.vocabularySize = tokens[0]
    }
    text.contextLength = extents("text_model.embeddings.position_embedding.weight", rank: 2)?[0] ?? text.contextLength
    text.projectionSize = extents("text_projection.weight", rank: 2)?[0] ?? text.projectionSize
  }
}
