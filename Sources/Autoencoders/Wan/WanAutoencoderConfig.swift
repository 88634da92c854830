import Checkpoints
import Tensors

/// Configuration of the Wan 2.1 autoencoder: the fields of the published `vae/config.json`. Absent fields have the
/// published defaults.
package struct WanAutoencoderConfig: Sendable, Equatable {
  package var baseChannels = 96
  package var latentChannels = 16
  /// Channels of the resolutions over the base's, highest resolution first; each step down halves height and width.
  package var channelFactors = [1, 2, 4, 4]
  package var residualBlocks = 2
  /// For each step down, whether it also halves the frame rate.
  package var halvesTime = [false, true, true]
  /// Mean and standard deviation of each channel of latents, by which the diffusion model's latents are normalised.
  package var latentMeans = [
    -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715, 0.5517, -0.3632, -0.1922,
    -0.9497, 0.2503, -0.2921,
  ]
  package var latentDeviations = [
    2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253,
    2.8251, 1.9160,
  ]

  package init() {}

  /// Pixels per latent pixel along each side.
  package var spatialRatio: Int { 1 << halvesTime.count }
  /// Frames per latent frame after the first.
  package var temporalRatio: Int { 1 << halvesTime.filter { $0 }.count }
  /// Channels of the resolutions, highest first.
  package var channels: [Int] { channelFactors.map { $0 * baseChannels } }

  /// The tiles of the published implementation.
  package var defaultTiling: SpatialTiling {
    SpatialTiling(tileHeight: 256, tileWidth: 256, strideHeight: 192, strideWidth: 192)
  }
}

// MARK: - Latents

extension WanAutoencoderConfig {
  /// (z - mean) / deviation, channel by channel, for latents `[B, L, F, h, w]`: what the diffusion model sees.
  package func normalized(_ latents: Tensor) -> Tensor {
    mapChannels(latents) { mean, deviation in (1 / deviation, -mean / deviation) }
  }

  /// z deviation + mean: what the decoder takes.
  package func denormalized(_ latents: Tensor) -> Tensor {
    mapChannels(latents) { mean, deviation in (deviation, mean) }
  }

  private func mapChannels(_ latents: Tensor, _ map: (Double, Double) -> (scale: Double, offset: Double)) -> Tensor {
    precondition(latents.rank == 5 && latents.shape[1] == latentMeans.count, "latents \(latents.shape)")
    let channels = latentMeans.indices.map { channel in
      let (scale, offset) = map(latentMeans[channel], latentDeviations[channel])
      return latents.sliced(1, channel..<channel + 1).scaled(by: Float(scale), adding: Float(offset))
    }
    return .concatenated(channels, axis: 1)
  }
}

// MARK: - Reading

extension WanAutoencoderConfig: Decodable {
  private enum CodingKeys: String, CodingKey {
    case baseChannels = "base_dim"
    case latentChannels = "z_dim"
    case channelFactors = "dim_mult"
    case residualBlocks = "num_res_blocks"
    // Spelled so in published files.
    case halvesTime = "temperal_downsample"
    case latentMeans = "latents_mean"
    case latentDeviations = "latents_std"
    // Settings this implementation knows one value of; the last ones are of Wan 2.2.
    case attentionScales = "attn_scales"
    case decoderBaseChannels = "decoder_base_dim"
    case isResidual = "is_residual"
    case inputChannels = "in_channels"
    case outputChannels = "out_channels"
    case patchSize = "patch_size"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    try values.read(.baseChannels, into: &baseChannels)
    try values.read(.latentChannels, into: &latentChannels)
    try values.read(.channelFactors, into: &channelFactors)
    try values.read(.residualBlocks, into: &residualBlocks)
    try values.read(.halvesTime, into: &halvesTime)
    try values.read(.latentMeans, into: &latentMeans)
    try values.read(.latentDeviations, into: &latentDeviations)
    try values.require([Double](), forKey: .attentionScales)
    try values.require(baseChannels, forKey: .decoderBaseChannels)
    try values.require(false, forKey: .isResidual)
    try values.require(3, forKey: .inputChannels)
    try values.require(3, forKey: .outputChannels)
    try values.require(nil as Int?, forKey: .patchSize)
  }
}

extension WanAutoencoderConfig: ValidatedConfig {
  package func validate() throws(InvalidField) {
    func fail(_ key: CodingKeys, _ why: String) -> InvalidField { InvalidField(key.rawValue, why) }
    try InvalidField.check(CodingKeys.baseChannels.rawValue, baseChannels, in: 1...16_384)
    try InvalidField.check(CodingKeys.latentChannels.rawValue, latentChannels, in: 1...1024)
    try InvalidField.check(CodingKeys.residualBlocks.rawValue, residualBlocks, in: 1...64)
    guard (2...8).contains(channelFactors.count), channelFactors.allSatisfy((1...64).contains) else {
      throw fail(.channelFactors, "must have 2 to 8 entries from 1 to 64, not \(channelFactors)")
    }
    guard halvesTime.count == channelFactors.count - 1 else {
      throw fail(.halvesTime, "must have one entry less than dim_mult, \(channelFactors.count - 1)")
    }
    // Chunks of four frames, fixed in the published code, are halved twice at most.
    guard halvesTime.filter({ $0 }).count <= 2 else {
      throw fail(.halvesTime, "must not be true more than twice: frames are encoded four at a time")
    }
    // Each step up of the decoder halves the channels.
    if let odd = channels.dropFirst().first(where: { $0 % 2 != 0 }) {
      throw fail(.channelFactors, "times base_dim must be even for all resolutions but the first, not \(odd)")
    }
    guard latentMeans.count == latentChannels, latentMeans.allSatisfy(\.isFinite) else {
      throw fail(.latentMeans, "must have a number for each of z_dim's \(latentChannels) channels")
    }
    guard latentDeviations.count == latentChannels, latentDeviations.allSatisfy({ $0 > 0 && $0.isFinite }) else {
      throw fail(.latentDeviations, "must have a positive number for each of z_dim's \(latentChannels) channels")
    }
  }
}
