import Checkpoints
import Compute

/// `config.json` of a T5 or UMT5 text encoder.
package struct T5EncoderConfiguration: ValidatedConfig, Sendable, Equatable {
  package enum Family: String, CaseIterable, Sendable {
    /// All layers share the first layer's relative position bias.
    case t5
    /// Each layer has its own.
    case umt5
  }

  package enum FeedForwardKind: String, CaseIterable, Sendable {
    case relu
    /// GELU in its tanh form, times a second projection.
    case gatedGELU = "gated-gelu"
  }

  package var family: Family
  package var vocabularySize: Int
  /// D
  package var hiddenSize: Int
  /// K; heads together need not be as wide as the hidden size.
  package var headSize: Int
  package var headCount: Int
  package var feedForwardSize: Int
  package var layerCount: Int
  package var feedForwardKind = FeedForwardKind.relu
  /// Kinds of distances that the relative position bias tells apart, half of them for each direction.
  package var bucketCount = 32
  /// Distances from here on are all alike.
  package var maximumDistance = 128
  package var epsilon = 1e-6
}

// MARK: - Reading

extension T5EncoderConfiguration {
  private enum CodingKeys: String, CodingKey {
    case family = "model_type"
    case vocabularySize = "vocab_size"
    case hiddenSize = "d_model"
    case headSize = "d_kv"
    case headCount = "num_heads"
    case feedForwardSize = "d_ff"
    case layerCount = "num_layers"
    case feedForwardKind = "feed_forward_proj"
    case bucketCount = "relative_attention_num_buckets"
    case maximumDistance = "relative_attention_max_distance"
    case epsilon = "layer_norm_epsilon"
  }

  /// Sizes must be present; settings that older published files leave out take the published class's defaults.
  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    family = try values.choice(forKey: .family)
    vocabularySize = try values.decode(Int.self, forKey: .vocabularySize)
    hiddenSize = try values.decode(Int.self, forKey: .hiddenSize)
    headSize = try values.decode(Int.self, forKey: .headSize)
    headCount = try values.decode(Int.self, forKey: .headCount)
    feedForwardSize = try values.decode(Int.self, forKey: .feedForwardSize)
    layerCount = try values.decode(Int.self, forKey: .layerCount)
    feedForwardKind = try values.choice(forKey: .feedForwardKind, else: feedForwardKind)
    bucketCount = try values.decodeIfPresent(Int.self, forKey: .bucketCount) ?? bucketCount
    maximumDistance = try values.decodeIfPresent(Int.self, forKey: .maximumDistance) ?? maximumDistance
    epsilon = try values.decodeIfPresent(Double.self, forKey: .epsilon) ?? epsilon
  }

  /// Bounds are far above any published encoder; they keep sizes of hostile files from overflowing.
  package func validate() throws(InvalidField) {
    try InvalidField.check(CodingKeys.vocabularySize.rawValue, vocabularySize, in: 1...10_000_000)
    try InvalidField.check(CodingKeys.hiddenSize.rawValue, hiddenSize, in: 1...65_536)
    try InvalidField.check(CodingKeys.headSize.rawValue, headSize, in: 1...65_536)
    try InvalidField.check(CodingKeys.headCount.rawValue, headCount, in: 1...1024)
    try InvalidField.check(CodingKeys.feedForwardSize.rawValue, feedForwardSize, in: 1...1_000_000)
    try InvalidField.check(CodingKeys.layerCount.rawValue, layerCount, in: 1...1000)
    try InvalidField.check(CodingKeys.bucketCount.rawValue, bucketCount, in: 4...1024)
    // Distances below a quarter of the buckets have a bucket each; the others share the rest on a logarithmic scale.
    try InvalidField.check(CodingKeys.maximumDistance.rawValue, maximumDistance, in: bucketCount / 4 + 1...1_000_000)
    guard epsilon > 0, epsilon < 1 else {
      throw InvalidField(CodingKeys.epsilon.rawValue, "must be between 0 and 1, not \(epsilon)")
    }
  }
}
