import Checkpoints
import Compute

/// Configuration of the CogVideoX autoencoder: the fields of the published `vae/config.json`. Absent fields have the
/// published defaults.
package struct CogVideoXAutoencoderConfig: Codable, Sendable, Equatable {
  package var inputChannels = 3
  package var outputChannels = 3
  package var latentChannels = 16
  /// Channels of the resolutions, highest first; each step down halves height and width.
  package var blockChannels = [128, 256, 256, 512]
  package var downBlockTypes: [String]?
  package var upBlockTypes: [String]?
  package var layersPerBlock = 3
  package var activation = ActivationName.silu
  package var normEpsilon = 1e-6
  package var normGroups = 32
  /// Frames per latent frame; a power of two.
  package var temporalCompressionRatio = 4.0
  /// Frame size in pixels for which the model was trained; tiles are half of it.
  package var sampleHeight = 480
  package var sampleWidth = 720
  /// What latents are multiplied by for the diffusion model.
  package var scalingFactor = 1.15258426
  /// Whether latents of a first frame enter the diffusion model unscaled.
  package var invertsScaleOfLatents = false
  package var usesQuantConv = false
  package var usesPostQuantConv = false

  /// The published names of activation functions.
  package enum ActivationName: String, Codable, Sendable, CaseIterable {
    case silu, swish, gelu, relu

    var function: Activation {
      switch self {
      case .silu, .swish: .silu
      case .gelu: .gelu
      case .relu: .relu
      }
    }
  }

  package init() {}

  package enum CodingKeys: String, CodingKey, CaseIterable {
    case inputChannels = "in_channels"
    case outputChannels = "out_channels"
    case latentChannels = "latent_channels"
    case blockChannels = "block_out_channels"
    case downBlockTypes = "down_block_types"
    case upBlockTypes = "up_block_types"
    case layersPerBlock = "layers_per_block"
    case activation = "act_fn"
    case normEpsilon = "norm_eps"
    case normGroups = "norm_num_groups"
    case temporalCompressionRatio = "temporal_compression_ratio"
    case sampleHeight = "sample_height"
    case sampleWidth = "sample_width"
    case scalingFactor = "scaling_factor"
    case invertsScaleOfLatents = "invert_scale_latents"
    case usesQuantConv = "use_quant_conv"
    case usesPostQuantConv = "use_post_quant_conv"
  }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    try fields.read(.inputChannels, into: &inputChannels)
    try fields.read(.outputChannels, into: &outputChannels)
    try fields.read(.latentChannels, into: &latentChannels)
    try fields.read(.blockChannels, into: &blockChannels)
    downBlockTypes = try fields.decodeIfPresent([String].self, forKey: .downBlockTypes)
    upBlockTypes = try fields.decodeIfPresent([String].self, forKey: .upBlockTypes)
    try fields.read(.layersPerBlock, into: &layersPerBlock)
    activation = try fields.choice(forKey: .activation, else: activation)
    try fields.read(.normEpsilon, into: &normEpsilon)
    try fields.read(.normGroups, into: &normGroups)
    try fields.read(.temporalCompressionRatio, into: &temporalCompressionRatio)
    try fields.read(.sampleHeight, into: &sampleHeight)
    try fields.read(.sampleWidth, into: &sampleWidth)
    try fields.read(.scalingFactor, into: &scalingFactor)
    try fields.read(.invertsScaleOfLatents, into: &invertsScaleOfLatents)
    try fields.read(.usesQuantConv, into: &usesQuantConv)
    try fields.read(.usesPostQuantConv, into: &usesPostQuantConv)
  }
}

extension CogVideoXAutoencoderConfig: ValidatedConfig {
  package func validate() throws(InvalidField) {
    func require(_ isValid: Bool, _ key: CodingKeys, _ why: @autoclosure () -> String) throws(InvalidField) {
      guard isValid else { throw InvalidField(key.rawValue, why()) }
    }
    func require(_ value: Int, in range: ClosedRange<Int>, _ key: CodingKeys) throws(InvalidField) {
      try InvalidField.check(key.rawValue, value, in: range)
    }
    try require(inputChannels, in: 1...1024, .inputChannels)
    try require(outputChannels, in: 1...1024, .outputChannels)
    try require(latentChannels, in: 1...1024, .latentChannels)
    try require(
      (1...8).contains(blockChannels.count), .blockChannels, "must have 1 to 8 entries, not \(blockChannels.count)")
    try require(normGroups, in: 1...16384, .normGroups)
    for channels in blockChannels {
      try require(channels, in: 1...16384, .blockChannels)
      try require(
        channels % normGroups == 0, .normGroups,
        "must divide all of block_out_channels, but \(channels) is no multiple of \(normGroups)")
    }
    for (types, key, supported) in [
      (downBlockTypes, CodingKeys.downBlockTypes, "CogVideoXDownBlock3D"),
      (upBlockTypes, .upBlockTypes, "CogVideoXUpBlock3D"),
    ] {
      guard let types else { continue }
      try require(
        types.count == blockChannels.count, key,
        "must have as many entries as block_out_channels, \(blockChannels.count), not \(types.count)")
      let other = types.first { $0 != supported }
      try require(other == nil, key, "must name '\(supported)' only, not '\(other ?? "")'")
    }
    try require(layersPerBlock, in: 1...64, .layersPerBlock)
    try require(normEpsilon > 0 && normEpsilon < 1, .normEpsilon, "must be between 0 and 1, not \(normEpsilon)")
    let ratios = (0..<blockChannels.count).map { Double(1 << $0) }
    try require(
      ratios.contains(temporalCompressionRatio), .temporalCompressionRatio,
      "must be one of \(ratios.map { Int($0) }) for \(blockChannels.count) blocks, not \(temporalCompressionRatio)")
    try require(sampleHeight, in: 2 * spatialRatio...1 << 16, .sampleHeight)
    try require(sampleWidth, in: 2 * spatialRatio...1 << 16, .sampleWidth)
    try require(
      scalingFactor.isFinite && scalingFactor != 0, .scalingFactor, "must be a finite number other than 0")
  }
}

extension CogVideoXAutoencoderConfig {
  /// Pixels per latent pixel along each side.
  package var spatialRatio: Int { 1 << (blockChannels.count - 1) }
  /// Frames per latent frame.
  package var temporalRatio: Int { Int(temporalCompressionRatio) }
  /// Number of blocks that change the frame rate.
  var temporalLevels: Int { temporalRatio.trailingZeroBitCount }

  /// The tiles of the published implementation: half of the sample size, overlapping by a sixth and a fifth.
  package var defaultTiling: SpatialTiling {
    SpatialTiling(tileHeight: sampleHeight / 2, tileWidth: sampleWidth / 2)
  }
}
