import Checkpoints

/// The `config.json` of a CogVideoX transformer, with or without a Video-As-Prompt expert.
///
/// Absent fields take the defaults of the published model class.
package struct CogVideoXConfiguration: MixtureConfiguration {
  package static let family = "CogVideoX"

  package var headCount = 30
  package var headSize = 64
  package var inChannels = 16
  package var outChannels = 16
  package var isCosineFirst = true
  package var frequencyShift = 0
  package var timeEmbeddingSize = 512
  package var textEmbeddingSize = 4096
  package var layerCount = 30
  package var usesAttentionBias = true
  /// Latent width and height the position table was made for.
  package var sampleWidth = 90
  package var sampleHeight = 60
  /// Pixel frames the position table was made for.
  package var sampleFrames = 49
  package var patchSize = 2
  package var temporalCompressionRatio = 4
  package var maxTextLength = 226
  package var isNormAffine = true
  package var normEpsilon = 1e-5
  package var spatialInterpolationScale = 1.875
  package var temporalInterpolationScale = 1.0
  package var usesRotaryEmbeddings = false
  package var usesLearnedEmbeddings = false
  package var usesPatchBias = true
  package var references = ReferenceDesign()

  package init() {}

  /// Latent frames of a clip of `sampleFrames`.
  package var sampleLatentFrames: Int { (sampleFrames - 1) / temporalCompressionRatio + 1 }
}

extension CogVideoXConfiguration: Decodable {
  private enum CodingKeys: String, CodingKey {
    case headCount = "num_attention_heads"
    case headSize = "attention_head_dim"
    case inChannels = "in_channels"
    case outChannels = "out_channels"
    case isCosineFirst = "flip_sin_to_cos"
    case frequencyShift = "freq_shift"
    case timeEmbeddingSize = "time_embed_dim"
    case textEmbeddingSize = "text_embed_dim"
    case layerCount = "num_layers"
    case usesAttentionBias = "attention_bias"
    case sampleWidth = "sample_width"
    case sampleHeight = "sample_height"
    case sampleFrames = "sample_frames"
    case patchSize = "patch_size"
    case temporalCompressionRatio = "temporal_compression_ratio"
    case maxTextLength = "max_text_seq_length"
    case isNormAffine = "norm_elementwise_affine"
    case normEpsilon = "norm_eps"
    case spatialInterpolationScale = "spatial_interpolation_scale"
    case temporalInterpolationScale = "temporal_interpolation_scale"
    case usesRotaryEmbeddings = "use_rotary_positional_embeddings"
    case usesLearnedEmbeddings = "use_learned_positional_embeddings"
    case usesPatchBias = "patch_bias"
    // Settings this implementation knows one value of.
    case activation = "activation_fn"
    case timestepActivation = "timestep_activation_fn"
    case temporalPatchSize = "patch_size_t"
    case ofsEmbeddingSize = "ofs_embed_dim"
    case expertHeadSize = "attention_head_dim_mot_ref"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    try values.read(.headCount, into: &headCount)
    try values.read(.headSize, into: &headSize)
    try values.read(.inChannels, into: &inChannels)
    try values.read(.outChannels, into: &outChannels)
    try values.read(.isCosineFirst, into: &isCosineFirst)
    try values.read(.frequencyShift, into: &frequencyShift)
    try values.read(.timeEmbeddingSize, into: &timeEmbeddingSize)
    try values.read(.textEmbeddingSize, into: &textEmbeddingSize)
    try values.read(.layerCount, into: &layerCount)
    try values.read(.usesAttentionBias, into: &usesAttentionBias)
    try values.read(.sampleWidth, into: &sampleWidth)
    try values.read(.sampleHeight, into: &sampleHeight)
    try values.read(.sampleFrames, into: &sampleFrames)
    try values.read(.patchSize, into: &patchSize)
    try values.read(.temporalCompressionRatio, into: &temporalCompressionRatio)
    try values.read(.maxTextLength, into: &maxTextLength)
    try values.read(.isNormAffine, into: &isNormAffine)
    try values.read(.normEpsilon, into: &normEpsilon)
    try values.read(.spatialInterpolationScale, into: &spatialInterpolationScale)
    try values.read(.temporalInterpolationScale, into: &temporalInterpolationScale)
    try values.read(.usesRotaryEmbeddings, into: &usesRotaryEmbeddings)
    try values.read(.usesLearnedEmbeddings, into: &usesLearnedEmbeddings)
    try values.read(.usesPatchBias, into: &usesPatchBias)
    references = try ReferenceDesign(from: decoder)

    try values.require("gelu-approximate", forKey: .activation)
    try values.require("silu", forKey: .timestepActivation)
    try values.require(nil as Int?, forKey: .temporalPatchSize)
    try values.require(nil as Int?, forKey: .ofsEmbeddingSize)
    try values.require(headSize, forKey: .expertHeadSize)
  }

  package func validate() throws(InvalidField) {
    /// No published model comes near these; beyond them sizes would overflow or never fit a machine.
    for (key, value, limit) in [
      (CodingKeys.headCount, headCount, 1024), (.headSize, headSize, 1024), (.inChannels, inChannels, 4096),
      (.outChannels, outChannels, 4096), (.timeEmbeddingSize, timeEmbeddingSize, 65_536),
      (.textEmbeddingSize, textEmbeddingSize, 65_536), (.layerCount, layerCount, 1000),
      (.sampleWidth, sampleWidth, 8192), (.sampleHeight, sampleHeight, 8192), (.sampleFrames, sampleFrames, 8192),
      (.patchSize, patchSize, 16), (.temporalCompressionRatio, temporalCompressionRatio, 64),
      (.maxTextLength, maxTextLength, 8192),
    ] {
      guard (1...limit).contains(value) else { throw InvalidField(key.rawValue, "must be 1...\(limit), not \(value)") }
    }
    // The rotary axes take 1/4, 3/8 and 3/8 of a head, each in pairs; the sin-cos table splits D alike.
    guard headSize % 16 == 0 else {
      throw InvalidField(CodingKeys.headSize.rawValue, "must be a multiple of 16, not \(headSize)")
    }
    guard normEpsilon > 0, normEpsilon < 1 else {
      throw InvalidField(CodingKeys.normEpsilon.rawValue, "must lie between 0 and 1, not \(normEpsilon)")
    }
    guard spatialInterpolationScale > 0, spatialInterpolationScale.isFinite else {
      throw InvalidField(CodingKeys.spatialInterpolationScale.rawValue, "must be positive")
    }
    guard temporalInterpolationScale > 0, temporalInterpolationScale.isFinite else {
      throw InvalidField(CodingKeys.temporalInterpolationScale.rawValue, "must be positive")
    }
    try references.validate(layerCount: layerCount)
  }
}
