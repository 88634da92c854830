import Compute
import Layers
import Tensors

/// Weights of CLIP under OpenAI's names, given out under those of the transformers library, which the encoders use.
///
/// The layouts differ in names, in that queries, keys and values share a weight here, and in that the two projections
/// are transposed.
package struct OpenAICLIPSource: ParameterSource {
  private let source: any ParameterSource
  private let places: [String: Place]

  /// Where a weight is found.
  private struct Place: Sendable {
    let key: String
    /// The third of the rows that belongs to it: of queries, keys and values, in this order.
    var third: Int?
    var isTransposed = false
  }

  package init(_ source: any ParameterSource) {
    self.source = source
    places = Dictionary(source.keys.flatMap(Self.places(of:))) { first, _ in first }
  }

  /// Numbers that describe the model, not weights of it.
  package static func isUnusedKey(_ key: String) -> Bool {
    ["input_resolution", "context_length", "vocab_size"].contains(key)
  }

  package var keys: [String] { places.keys.sorted() }
  package var description: String { source.description }

  package func tensor(_ key: String, _ shape: Shape) throws -> Tensor? {
    guard let place = places[key], let tensor = try source.tensor(place.key, shape) else { return nil }
    if let third = place.third, tensor.rank > 0, tensor.shape[0] % 3 == 0 {
      let rows = tensor.shape[0] / 3
      return tensor.sliced(0, third * rows..<(third + 1) * rows)
    }
    return place.isTransposed && tensor.rank == 2 ? tensor.transposed(0, 1).gathered() : tensor
  }

  /// The weights that a key of the file holds; a key that is not known keeps its name and will be reported.
  private static func places(of key: String) -> [(String, Place)] {
    if let name = single[key] { return [(name, Place(key: key))] }
    if let name = transposed[key] { return [(name, Place(key: key, isTransposed: true))] }
    for (prefix, replacement) in norms where key.hasPrefix(prefix) {
      return [(replacement + key.dropFirst(prefix.count), Place(key: key))]
    }
    for (prefix, replacement) in blocks where key.hasPrefix(prefix) {
      let parts = key.dropFirst(prefix.count).split(separator: ".", maxSplits: 1).map(String.init)
      guard parts.count == 2 else { break }
      let layer = "\(replacement)\(parts[0])."
      for (end, name) in ["attn.in_proj_weight": "weight", "attn.in_proj_bias": "bias"] where parts[1] == end {
        return ["q", "k", "v"].enumerated().map { third, letter in
          ("\(layer)self_attn.\(letter)_proj.\(name)", Place(key: key, third: third))
        }
      }
      for (start, name) in blockParts where parts[1].hasPrefix(start) {
        return [(layer + name + parts[1].dropFirst(start.count), Place(key: key))]
      }
    }
    return [(key, Place(key: key))]
  }

  private static let single = [
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
  ]
  private static let transposed = [
    "visual.proj": "visual_projection.weight", "text_projection": "text_projection.weight",
  ]
  private static let norms = [
    "visual.ln_pre.": "vision_model.pre_layrnorm.", "visual.ln_post.": "vision_model.post_layernorm.",
    "ln_final.": "text_model.final_layer_norm.",
  ]
  private static let blocks = [
    "visual.transformer.resblocks.": "vision_model.encoder.layers.",
    "transformer.resblocks.": "text_model.encoder.layers.",
  ]
  private static let blockParts = [
    "attn.out_proj.": "self_attn.out_proj.", "ln_1.": "layer_norm1.", "ln_2.": "layer_norm2.", "mlp.c_fc.": "mlp.fc1.",
    "mlp.c_proj.": "mlp.fc2.",
  ]
}
