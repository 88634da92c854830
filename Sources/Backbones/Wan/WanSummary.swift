import Autoencoders
import Encoders
import VideoTransformers

extension WanBackbone {
  package func components() throws -> [ComponentSummary] {
    typealias Fact = ComponentSummary.Fact
    _ = try loadTokenizer()
    let vision = imageEncoder.transformer
    return [
      try transformerSummary("Wan 2.1", textTokens: WanConfiguration.textLength),
      try summary(
        "vae",
        autoencoderFacts(
          "Wan 2.1 autoencoder", blockChannels: autoencoder.channels, latentChannels: autoencoder.latentChannels,
          temporalRatio: autoencoder.temporalRatio, spatialRatio: autoencoder.spatialRatio)
      ) { _ = WanAutoencoder($0, autoencoder) },
      try textEncoderSummary("UMT5 encoder", textEncoder),
      try summary(
        "image_encoder",
        [
          Fact("architecture", "CLIP image encoder"), Fact("layers", vision.layerCount), Fact("width", vision.width),
          Fact("image", "\(imageEncoder.imageSize) in patches of \(imageEncoder.patchSize)"),
        ], ignoring: CLIPVisionEncoder.isUnusedKey
      ) { _ = CLIPVisionEncoder($0, imageEncoder) },
    ]
  }
}
