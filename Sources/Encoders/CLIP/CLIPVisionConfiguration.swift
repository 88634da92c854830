import Checkpoints

/// `config.json` of a CLIP image encoder; absent fields take the published class's defaults (ViT-B/32).
package struct CLIPVisionConfiguration: ValidatedConfig, Sendable, Equatable {
  package var transformer = CLIPTransformerShape(width: 768, headCount: 12, feedForwardSize: 3072, layerCount: 12)
  /// Sides of the image and of a patch in pixels.
  package var imageSize = 224
  package var patchSize = 32
  /// Width of the embedding that images share with texts.
  package var projectionSize = 512

  package init() {}

  /// Tokens of an image: one for the whole, and one for each patch.
  package var tokenCount: Int { (imageSize / patchSize) * (imageSize / patchSize) + 1 }
}

// MARK: - Reading

extension CLIPVisionConfiguration {
  private enum CodingKeys: String, CodingKey {
    case width = "hidden_size"
    case headCount = "num_attention_heads"
    case feedForwardSize = "intermediate_size"
    case layerCount = "num_hidden_layers"
    case activation = "hidden_act"
    case epsilon = "layer_norm_eps"
    case imageSize = "image_size"
    case patchSize = "patch_size"
    case projectionSize = "projection_dim"
    case channels = "num_channels"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    try values.read(.width, into: &transformer.width)
    try values.read(.headCount, into: &transformer.headCount)
    try values.read(.feedForwardSize, into: &transformer.feedForwardSize)
    try values.read(.layerCount, into: &transformer.layerCount)
    transformer.activation = try values.choice(forKey: .activation, else: transformer.activation)
    try values.read(.epsilon, into: &transformer.epsilon)
    try values.read(.imageSize, into: &imageSize)
    try values.read(.patchSize, into: &patchSize)
    try values.read(.projectionSize, into: &projectionSize)
    try values.require(3, forKey: .channels)
  }

  package func validate() throws(InvalidField) {
    for (key, value, limit) in [
      (CodingKeys.width, transformer.width, 65_536), (.headCount, transformer.headCount, 1024),
      (.feedForwardSize, transformer.feedForwardSize, 1_000_000), (.layerCount, transformer.layerCount, 1000),
      (.imageSize, imageSize, 16_384), (.patchSize, patchSize, 16_384), (.projectionSize, projectionSize, 65_536),
    ] {
      try InvalidField.check(key.rawValue, value, in: 1...limit)
    }
    guard transformer.width % transformer.headCount == 0 else {
      throw InvalidField(
        CodingKeys.width.rawValue,
        "must be a multiple of num_attention_heads (\(transformer.headCount)), not \(transformer.width)")
    }
    guard patchSize <= imageSize else {
      throw InvalidField(CodingKeys.patchSize.rawValue, "must not be larger than image_size, \(imageSize)")
    }
    guard transformer.epsilon > 0, transformer.epsilon < 1 else {
      throw InvalidField(CodingKeys.epsilon.rawValue, "must lie between 0 and 1, not \(transformer.epsilon)")
    }
  }
}
