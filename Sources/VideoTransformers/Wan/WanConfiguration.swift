import Checkpoints

/// The `config.json` of a Wan 2.1 image-to-video transformer, with or without a Video-As-Prompt expert.
///
/// Absent fields take the defaults of the published model class.
package struct WanConfiguration: MixtureConfiguration {
  package static let family = "Wan"

  /// Latent frames, rows and columns of a token.
  package var patchSize = [1, 2, 2]
  package var headCount = 40
  package var headSize = 128
  package var inChannels = 16
  package var outChannels = 16
  package var textEmbeddingSize = 4096
  package var imageEmbeddingSize = 1280
  /// Width of the timesteps' sinusoidal embedding.
  package var frequencySize = 256
  package var feedForwardSize = 13_824
  package var layerCount = 40
  /// Whether tokens are normalised before they attend to text and image.
  package var normalizesCrossAttention = true
  package var normEpsilon = 1e-6
  /// Positions on each rotary axis of the target.
  package var positionLimit = 1024
  package var references = ReferenceDesign()

  package init() {}

  /// Text tokens that the model attends to, padding included; fixed in the published code.
  package static let textLength = 512
}

extension WanConfiguration: Decodable {
  private enum CodingKeys: String, CodingKey {
    case patchSize = "patch_size"
    case headCount = "num_attention_heads"
    case headSize = "attention_head_dim"
    case inChannels = "in_channels"
    case outChannels = "out_channels"
    case textEmbeddingSize = "text_dim"
    case imageEmbeddingSize = "image_dim"
    case frequencySize = "freq_dim"
    case feedForwardSize = "ffn_dim"
    case layerCount = "num_layers"
    case normalizesCrossAttention = "cross_attn_norm"
    case normEpsilon = "eps"
    case positionLimit = "rope_max_seq_len"
    // Settings this implementation knows one value of.
    case queryKeyNorm = "qk_norm"
    case imageKeySize = "added_kv_proj_dim"
    case imagePositions = "pos_embed_seq_len"
    case expertHeadSize = "attention_head_dim_mot_ref"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    try values.read(.patchSize, into: &patchSize)
    try values.read(.headCount, into: &headCount)
    try values.read(.headSize, into: &headSize)
    try values.read(.inChannels, into: &inChannels)
    // As in the published class, a model gives what it takes unless it says otherwise.
    outChannels = inChannels
    try values.read(.outChannels, into: &outChannels)
    try values.read(.textEmbeddingSize, into: &textEmbeddingSize)
    try values.read(.frequencySize, into: &frequencySize)
    try values.read(.feedForwardSize, into: &feedForwardSize)
    try values.read(.layerCount, into: &layerCount)
    try values.read(.normalizesCrossAttention, into: &normalizesCrossAttention)
    try values.read(.normEpsilon, into: &normEpsilon)
    try values.read(.positionLimit, into: &positionLimit)
    references = try ReferenceDesign(from: decoder)

    guard let imageSize = try values.decodeIfPresent(Int.self, forKey: .imageEmbeddingSize) else {
      throw InvalidField(
        CodingKeys.imageEmbeddingSize.rawValue,
        "is null: this is a text-to-video model; this program supports image-to-video models only")
    }
    imageEmbeddingSize = imageSize
    try InvalidField.check(CodingKeys.headCount.rawValue, headCount, in: 1...1024)
    try InvalidField.check(CodingKeys.headSize.rawValue, headSize, in: 2...1024)
    guard try values.decodeIfPresent(Int.self, forKey: .imageKeySize) == hiddenSize else {
      throw InvalidField(
        CodingKeys.imageKeySize.rawValue, "must be the width of the model, \(hiddenSize), for an image-to-video model")
    }
    try values.require("rms_norm_across_heads", forKey: .queryKeyNorm)
    try values.require(nil as Int?, forKey: .imagePositions)
    try values.require(headSize, forKey: .expertHeadSize)
  }

  package func validate() throws(InvalidField) {
    /// No published model comes near these; beyond them sizes would overflow or never fit a machine.
    for (key, value, limit) in [
      (CodingKeys.inChannels, inChannels, 4096), (.outChannels, outChannels, 4096),
      (.textEmbeddingSize, textEmbeddingSize, 65_536), (.imageEmbeddingSize, imageEmbeddingSize, 65_536),
      (.frequencySize, frequencySize, 65_536), (.feedForwardSize, feedForwardSize, 1_000_000),
      (.layerCount, layerCount, 1000), (.positionLimit, positionLimit, 100_000),
    ] {
      try InvalidField.check(key.rawValue, value, in: 1...limit)
    }
    // One latent frame to a token: the published code's positions of references hold for no other value.
    guard patchSize.count == 3, patchSize[0] == 1, patchSize[1...].allSatisfy((1...16).contains) else {
      throw InvalidField(CodingKeys.patchSize.rawValue, "must be [1, height, width], not \(patchSize)")
    }
    // Rotation takes channels in pairs.
    guard headSize % 2 == 0 else {
      throw InvalidField(CodingKeys.headSize.rawValue, "must be even, not \(headSize)")
    }
    guard normEpsilon > 0, normEpsilon < 1 else {
      throw InvalidField(CodingKeys.normEpsilon.rawValue, "must lie between 0 and 1, not \(normEpsilon)")
    }
    try references.validate(layerCount: layerCount)
  }
}
