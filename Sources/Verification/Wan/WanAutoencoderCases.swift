import Autoencoders
import Checkpoints
import Compute
import Layers
import Tensors

/// Case `vae`.
struct WanAutoencoderCases {
  private static let forward = Tolerance(norm: 1e-4)

  let goldens: GoldenSet

  func run(_ golden: GoldenCase, into comparison: inout Comparison) throws {
    let autoencoder = try WanAutoencoder(directory: "\(goldens.checkpoint)/vae")
    let tensors = try golden.openTensors()
    let config = autoencoder.config
    comparison.compare("latents_mean", config.latentMeans, golden.info["latents_mean"]?.doubles ?? [], .exact)
    comparison.compare("latents_std", config.latentDeviations, golden.info["latents_std"]?.doubles ?? [], .exact)
    let video = try tensors["encode.video"]
    for name in tensors.names where name.hasPrefix("encode") && name.hasSuffix(".moments") {
      let item = name.dropLast(".moments".count)
      guard let frames = Int(item.dropFirst("encode".count)) else { continue }
      let posterior = try autoencoder.encode(video.sliced(2, 0..<frames))
      comparison.compare(name, posterior.moments, try tensors[name], Self.forward)
      comparison.compare("\(item).mode", posterior.mean, try tensors["\(item).mode"], Self.forward)
      comparison.compare(
        "\(item).normalized_mode", config.normalized(posterior.mean), try tensors["\(item).normalized_mode"],
        Self.forward)
    }
    let latents = try tensors["decode.latents"]
    func decoded(_ latents: Tensor, frames: Int) throws -> Tensor {
      try autoencoder.decode(latents.sliced(2, 0..<(frames + 3) / 4))
    }
    for name in tensors.names where name.hasPrefix("decode") && name.hasSuffix(".last_frame") {
      guard let frames = Int(name.dropFirst("decode".count).dropLast(".last_frame".count)) else { continue }
      let video = try decoded(latents, frames: frames)
      comparison.compare(name, lastFrame(of: video), try tensors[name], Self.forward)
    }
    comparison.compare("decode13.video", try decoded(latents, frames: 13), try tensors["decode13.video"], Self.forward)
    let denormalized = config.denormalized(latents)
    comparison.compare("decode.denormalized", denormalized, try tensors["decode.denormalized"], Self.forward)
    comparison.compare(
      "decode_denormalized5.last_frame", lastFrame(of: try decoded(denormalized, frames: 5)),
      try tensors["decode_denormalized5.last_frame"], Self.forward)
    try compareActivations(autoencoder, video, latents, tensors, &comparison)
    try compareTiles(golden, autoencoder, tensors, &comparison)
  }

  private func lastFrame(of video: Tensor) -> Tensor {
    let count = video.shape[2]
    return video.sliced(2, count - 1..<count).reshaped([1, 3, video.shape[3], video.shape[4]])
  }

  /// `name#k` is recorded of the k-th chunk.
  private func compareActivations(
    _ autoencoder: WanAutoencoder, _ video: Tensor, _ latents: Tensor, _ tensors: GoldenTensors,
    _ comparison: inout Comparison
  ) throws {
    let observed = ObservedTensors()
    let context = RunContext(observer: observed.note)
    _ = try autoencoder.encode(video.sliced(2, 0..<5), context: context)
    _ = try autoencoder.decode(latents.sliced(2, 0..<2), context: context) as Tensor
    var chunks: [String: Int] = [:]
    for (name, tensor) in observed.tensors {
      let recorded = "activations5.\(name)#\(chunks[name, default: 0])"
      chunks[name, default: 0] += 1
      if let expected = try tensors.optional(recorded) {
        comparison.compare(recorded, tensor, expected, Self.forward)
      }
    }
  }

  private func compareTiles(
    _ golden: GoldenCase, _ autoencoder: WanAutoencoder, _ tensors: GoldenTensors, _ comparison: inout Comparison
  ) throws {
    guard let settings = golden.info["tile"], let height = settings["min_h"]?.int, let width = settings["min_w"]?.int,
      let strideHeight = settings["stride_h"]?.int, let strideWidth = settings["stride_w"]?.int
    else { throw golden.failure("does not say its tiles under 'tile'") }
    let tiling = SpatialTiling(
      tileHeight: height, tileWidth: width, strideHeight: strideHeight, strideWidth: strideWidth)
    let (video, latents) = (try tensors["tiled.video"], try tensors["tiled.latents"])
    for (name, tiling) in [("tiled.moments", tiling), ("tiled.untiled_moments", nil)] {
      comparison.compare(
        name, try autoencoder.encode(video, tiling: tiling).moments, try tensors[name], Self.forward)
    }
    let tiled: Tensor = try autoencoder.decode(latents, tiling: tiling)
    comparison.compare("tiled.decoded", tiled, try tensors["tiled.decoded"], Self.forward)
    let name = "tiled.untiled_decoded_last_frame"
    comparison.compare(name, lastFrame(of: try autoencoder.decode(latents)), try tensors[name], Self.forward)
  }
}

extension LatentPosterior {
  /// Means and logarithms of variances side by side; comparable where the recorded ones are within the limits.
  fileprivate var moments: Tensor { .concatenated([mean, logVariance], axis: 1) }
}
