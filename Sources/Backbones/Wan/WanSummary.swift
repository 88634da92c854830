import Autoencoders
import Encoders
import VideoTransformers

extension WanBackbone {
  package func components() throws -> [ComponentSummary] {
    typealias Fact = ComponentSummary.Fact
    let vision = imageEncoder.transformer
    return [
      try summary(
        "transformer",
        [
          Fact("architecture", "Wan 2.1" + (transformer.hasExpert ? " with Mixture-of-Transformers expert" : "")),
          Fact("layers", transformer.layerCount),
          Fact("expert layers", ComponentSummary.ranges(transformer.expertLayers)),
          Fact("heads", "\(transformer.headCount) of \(transformer.headSize)"), Fact("width", transformer.hiddenSize),
          Fact("channels", "\(transformer.inChannels) in, \(transformer.outChannels) out"),
          Fact("text tokens", WanConfiguration.textLength), Fact("made for", naturalGeometry),
        ], ignoring: WanTransformer.isUnusedKey
      ) { _ = WanTransformer($0, transformer) },
      try summary(
        "vae",
        [
          Fact("architecture", "Wan 2.1 autoencoder"), Fact("block channels", autoencoder.channels),
          Fact("latent channels", autoencoder.latentChannels),
          Fact("compression", "\(autoencoder.temporalRatio) x \(autoencoder.spatialRatio) x \(autoencoder.spatialRatio)"),
        ]
      ) { _ = WanAutoencoder($0, autoencoder) },
      try summary(
        "text_encoder",
        [
          Fact("architecture", "UMT5 encoder"), Fact("layers", textEncoder.layerCount),
          Fact("width", textEncoder.hiddenSize), Fact("vocabulary", textEncoder.vocabularySize),
        ], ignoring: T5Encoder.isTiedKey
      ) { _ = T5Encoder($0, textEncoder) },
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
