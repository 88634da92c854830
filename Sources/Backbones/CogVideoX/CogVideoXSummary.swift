import Autoencoders
import Encoders
import VideoTransformers

extension CogVideoXBackbone {
  /// Opens every component and holds its weights against its configuration; throws if any do not fit.
  package func components() throws -> [ComponentSummary] {
    typealias Fact = ComponentSummary.Fact
    _ = try loadTokenizer()
    return [
      try summary(
        "transformer",
        [
          Fact("architecture", "CogVideoX" + (transformer.hasExpert ? " with Mixture-of-Transformers expert" : "")),
          Fact("layers", transformer.layerCount), Fact("expert layers", ComponentSummary.ranges(transformer.expertLayers)),
          Fact("heads", "\(transformer.headCount) of \(transformer.headSize)"), Fact("width", transformer.hiddenSize),
          Fact("channels", "\(transformer.inChannels) in, \(transformer.outChannels) out"),
          Fact("text tokens", transformer.maxTextLength), Fact("made for", naturalGeometry),
        ]
      ) { _ = CogVideoXTransformer($0, transformer) },
      try summary(
        "vae",
        [
          Fact("architecture", "CogVideoX autoencoder"), Fact("block channels", autoencoder.blockChannels),
          Fact("latent channels", autoencoder.latentChannels),
          Fact(
            "compression", "\(autoencoder.temporalRatio) x \(autoencoder.spatialRatio) x \(autoencoder.spatialRatio)"),
          Fact("scaling factor", autoencoder.scalingFactor),
        ]
      ) { _ = CogVideoXAutoencoder($0, autoencoder) },
      try summary(
        "text_encoder",
        [
          Fact("architecture", "T5 encoder"), Fact("layers", textEncoder.layerCount),
          Fact("width", textEncoder.hiddenSize), Fact("vocabulary", textEncoder.vocabularySize),
        ], ignoring: T5Encoder.isTiedKey
      ) { _ = T5Encoder($0, textEncoder) },
    ]
  }
}
