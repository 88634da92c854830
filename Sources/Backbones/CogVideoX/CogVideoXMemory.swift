import Tensors

extension CogVideoXBackbone {
  /// Estimates from counting the tensors that are alive together at the most demanding moment of each stage.
  package func memoryNeeds(_ geometry: ClipGeometry, referenceCount: Int, isGuided: Bool) throws -> [StageMemory] {
    let text = try weightBytes("text_encoder")
    let vae = try weightBytes("vae")
    let model = try weightBytes("transformer")
    return [
      StageMemory(
        name: "encode text", weights: text, window: 2 * text / max(1, textEncoder.layerCount),
        work: 4 * transformer.maxTextLength * (8 * textEncoder.hiddenSize + 3 * textEncoder.feedForwardSize)),
      StageMemory(
        name: "encode image and references", weights: vae, window: vae,
        work: autoencoderWork(geometry, tiled: false), tiledWork: autoencoderWork(geometry, tiled: true)),
      StageMemory(
        name: "denoise", weights: model, window: 2 * model / max(1, transformer.layerCount),
        work: transformerWork(geometry, referenceCount: referenceCount, isGuided: isGuided)),
      StageMemory(
        name: "decode video", weights: vae, window: vae, work: autoencoderWork(geometry, tiled: false),
        tiledWork: autoencoderWork(geometry, tiled: true)),
    ]
  }

  /// Both streams, and of each: normalised tokens, queries, keys, values and attended tokens, for both guidance halves.
  private func transformerWork(_ geometry: ClipGeometry, referenceCount: Int, isGuided: Bool) -> Int {
    let latents = latentShape(geometry)
    let patch = transformer.patchSize
    let tokens = transformer.maxTextLength + latents[1] * (latents[3] / patch) * (latents[4] / patch)
    let streams = (1 + referenceCount) * tokens * (isGuided ? 2 : 1)
    // A block of feed-forward tokens, and the widened weight panels of all threads.
    let hidden = 4 * 2048 * 6 * transformer.hiddenSize
    return 4 * streams * transformer.hiddenSize * 6 + hidden
  }

  /// The first group of frames at full resolution: what goes into a convolution, what comes out, and what is kept for
  /// the shortcut.
  private func autoencoderWork(_ geometry: ClipGeometry, tiled: Bool) -> Int {
    let frames = min(geometry.frames, 9)
    let (height, width) =
      tiled
      ? (min(geometry.height, autoencoder.sampleHeight / 2), min(geometry.width, autoencoder.sampleWidth / 2))
      : (geometry.height, geometry.width)
    let channels = autoencoder.blockChannels.prefix(2).max() ?? 1
    return 4 * frames * height * width * channels * 5 / 2
  }
}
