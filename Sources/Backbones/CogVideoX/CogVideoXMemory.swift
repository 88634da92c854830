import Tensors

extension CogVideoXBackbone {
  package func memoryNeeds(_ geometry: ClipGeometry, referenceCount: Int, isGuided: Bool) throws -> [StageMemory] {
    let latents = latentShape(geometry)
    let patch = transformer.patchSize
    let tokens = transformer.maxTextLength + latents[1] * (latents[3] / patch) * (latents[4] / patch)
    return [
      try textMemory(textEncoder, tokens: transformer.maxTextLength),
      try encodingMemory { autoencoderWork(geometry, isTiled: $0) },
      try denoisingMemory(
        segments: "transformer_blocks", tokens: (1 + referenceCount) * tokens * (isGuided ? 2 : 1),
        feedForwardSize: 4 * transformer.hiddenSize),
      try decodingMemory { autoencoderWork(geometry, isTiled: $0) },
    ]
  }

  /// The first group of frames at full resolution: what goes into a convolution, what comes out, and what is kept for
  /// the shortcut.
  private func autoencoderWork(_ geometry: ClipGeometry, isTiled: Bool) -> Int {
    let frames = min(geometry.frames, 9)
    let (height, width) =
      isTiled
      ? (min(geometry.height, autoencoder.sampleHeight / 2), min(geometry.width, autoencoder.sampleWidth / 2))
      : (geometry.height, geometry.width)
    let channels = autoencoder.blockChannels.prefix(2).max() ?? 1
    return 4 * frames * height * width * channels * 4
  }
}
