import Autoencoders
import Compute
import Foundation
import Layers
import Media
import Tensors

/// Cases `vae` and `vae_tiled`.
struct AutoencoderCases {
  let goldens: GoldenSet

  private func autoencoder() throws -> CogVideoXAutoencoder {
    try CogVideoXAutoencoder(directory: "\(goldens.checkpoint)/vae")
  }

  func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let autoencoder = try autoencoder()
    let tensors = try golden.openTensors()
    guard let videoName = tensors.names.first(where: { $0.hasPrefix("video_") && $0.hasSuffix("_uint8") }),
      let latentsName = tensors.names.first(where: { $0.hasPrefix("latents_") })
    else { throw golden.failure("has no video or no latents") }
    let video = try VideoClip(bytes: tensors[videoName]).pixelTensor()
    let latents = try tensors[latentsName]

    for name in tensors.names where name.hasPrefix("encode_") && name.hasSuffix(".mean") {
      guard let frames = Int(name.dropFirst("encode_".count).dropLast(".mean".count)) else { continue }
      let posterior = try autoencoder.encode(video.sliced(2, 0..<frames))
      comparison.compare(name, posterior.mean, try tensors[name], .forward)
      comparison.compare(
        "encode_\(frames).logvar", posterior.logVariance, try tensors["encode_\(frames).logvar"], .forward)
      if let sample = try tensors.optional("encode_\(frames).sample") {
        comparison.compare(
          "encode_\(frames).sample", posterior.sample(noise: try tensors["posterior_eps_\(frames)"]), sample, .forward)
      }
    }
    for (frames, name) in tensors.indices(of: "decode_") {
      let ratio = autoencoder.config.temporalRatio
      let decoded = try autoencoder.decode(latents.sliced(2, 0..<(frames + ratio - 1) / ratio))
      comparison.compare(name, decoded, try tensors[name], .forward)
    }
    let observed = ObservedTensors()
    let context = RunContext(observer: observed.note)
    _ = try autoencoder.encode(video.sliced(2, 0..<1), context: context)
    _ = try autoencoder.decode(latents.sliced(2, 0..<2), context: context) as Tensor
    for (name, tensor) in observed.tensors {
      guard let expected = try tensors.optional("stages.\(name)") else { continue }
      comparison.compare("stages.\(name)", tensor.reshaped(expected.shape), expected, .forward)
    }
  }

  func runTiled(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let autoencoder = try autoencoder()
    let tensors = try golden.openTensors()
    guard let settings = golden.info["effective"], let height = settings["tile_sample_min_height"]?.int,
      let width = settings["tile_sample_min_width"]?.int,
      let overlapHeight = settings["tile_overlap_factor_height"]?.double,
      let overlapWidth = settings["tile_overlap_factor_width"]?.double
    else { throw golden.failure("does not say its tiles under 'effective'") }
    let tiling = SpatialTiling(
      tileHeight: height, tileWidth: width, overlapHeight: overlapHeight, overlapWidth: overlapWidth)
    let video = try VideoClip(bytes: tensors["video_uint8"]).pixelTensor()
    let posterior = try autoencoder.encode(video, tiling: tiling)
    comparison.compare("encode.mean", posterior.mean, try tensors["encode.mean"], .forward)
    comparison.compare("encode.logvar", posterior.logVariance, try tensors["encode.logvar"], .forward)
    if let whole = try tensors.optional("untiled.encode.mean") {
      comparison.compare("untiled.encode.mean", try autoencoder.encode(video).mean, whole, .forward)
    }
    let decoded: Tensor = try autoencoder.decode(tensors["latents"], tiling: tiling)
    comparison.compare("decode", decoded, try tensors["decode"], .forward)
  }
}
