import Autoencoders

extension CogVideoXBackbone {
  package func components() throws -> [ComponentSummary] {
    _ = try loadTokenizer()
    return [
      try transformerSummary("CogVideoX", textTokens: transformer.maxTextLength),
      try summary(
        "vae",
        autoencoderFacts(
          "CogVideoX autoencoder", blockChannels: autoencoder.blockChannels,
          latentChannels: autoencoder.latentChannels, temporalRatio: autoencoder.temporalRatio,
          spatialRatio: autoencoder.spatialRatio) + [ComponentSummary.Fact("scaling factor", autoencoder.scalingFactor)]
      ) { _ = CogVideoXAutoencoder($0, autoencoder) },
      try textEncoderSummary("T5 encoder", textEncoder),
    ]
  }
}
