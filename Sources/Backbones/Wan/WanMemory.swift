import Tensors
import VideoTransformers

extension WanBackbone {
  package func memoryNeeds(_ geometry: ClipGeometry, referenceCount: Int, isGuided: Bool) throws -> [StageMemory] {
    let latents = latentShape(geometry)
    let tokens = latents[2] * (latents[3] / transformer.patchSize[1]) * (latents[4] / transformer.patchSize[2])
    let clips = (1 + referenceCount) * (isGuided ? 2 : 1)
    return [
      try textMemory(textEncoder, tokens: WanConfiguration.textLength),
      try pictureMemory(),
      try autoencoderMemory("encode image and references") { encoderWork(geometry, isTiled: $0) },
      try denoisingMemory(
        transformer, segments: "blocks", tokens: clips * tokens,
        contextTokens: clips * (WanConfiguration.textLength + imageEncoder.tokenCount),
        feedForwardSize: transformer.feedForwardSize),
      try autoencoderMemory("decode video") { decoderWork(geometry, isTiled: $0) },
    ]
  }

  private func pictureMemory() throws -> StageMemory {
    let bytes = try weightBytes("image_encoder", segments: "vision_model.encoder.layers")
    let shape = imageEncoder.transformer
    return StageMemory(
      name: "look at image and references", weights: bytes.all, window: bytes.window,
      work: 4 * imageEncoder.tokenCount * (8 * shape.width + shape.feedForwardSize))
  }

  /// The frames of one chunk at full resolution: what goes into a convolution, what comes out, and what is kept of the
  /// chunk before for each convolution there.
  private func encoderWork(_ geometry: ClipGeometry, isTiled: Bool) -> Int {
    let area = area(geometry, isTiled: isTiled)
    let pixels = 4 * 3 * geometry.frames * geometry.height * geometry.width
    let kept = 2 * 2 * autoencoder.residualBlocks
    return pixels * 2 + 4 * area * autoencoder.channels[0] * (4 * 2 + kept)
  }

  private func decoderWork(_ geometry: ClipGeometry, isTiled: Bool) -> Int {
    let area = area(geometry, isTiled: isTiled)
    // The last block takes twice its own channels; before it they are upsampled.
    let kept = 2 * (2 * (autoencoder.residualBlocks + 1) + 1)
    let tiles = isTiled ? 4 * 3 * geometry.frames * geometry.height * geometry.width * 2 : 0
    return tiles + 4 * area * autoencoder.channels[0] * (autoencoder.temporalRatio * 3 + kept)
  }

  private func area(_ geometry: ClipGeometry, isTiled: Bool) -> Int {
    let tiling = autoencoder.defaultTiling
    return isTiled
      ? min(geometry.height, tiling.height.size) * min(geometry.width, tiling.width.size)
      : geometry.height * geometry.width
  }
}
