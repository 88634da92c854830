import Tensors
import VideoTransformers

extension WanBackbone {
  /// Estimates from counting the tensors that are alive together at the most demanding moment of each stage.
  package func memoryNeeds(_ geometry: ClipGeometry, referenceCount: Int, isGuided: Bool) throws -> [StageMemory] {
    let text = try weightBytes("text_encoder")
    let vision = try weightBytes("image_encoder")
    let vae = try weightBytes("vae")
    let model = try weightBytes("transformer")
    let shape = imageEncoder.transformer
    return [
      StageMemory(
        name: "encode text", weights: text, window: 2 * text / max(1, textEncoder.layerCount),
        work: 4 * WanConfiguration.textLength * (8 * textEncoder.hiddenSize + 3 * textEncoder.feedForwardSize)),
      StageMemory(
        name: "look at image and references", weights: vision, window: 2 * vision / max(1, shape.layerCount),
        work: 4 * imageEncoder.tokenCount * (8 * shape.width + shape.feedForwardSize)),
      StageMemory(
        name: "encode image and references", weights: vae, window: vae, work: encoderWork(geometry, tiled: false),
        tiledWork: encoderWork(geometry, tiled: true)),
      StageMemory(
        name: "denoise", weights: model, window: 2 * model / max(1, transformer.layerCount),
        work: transformerWork(geometry, referenceCount: referenceCount, isGuided: isGuided)),
      StageMemory(
        name: "decode video", weights: vae, window: vae, work: decoderWork(geometry, tiled: false),
        tiledWork: decoderWork(geometry, tiled: true)),
    ]
  }

  /// Both streams, and of each: normalised tokens, queries, keys, values and attended tokens, for both guidance halves;
  /// and the embedded captions and pictures.
  private func transformerWork(_ geometry: ClipGeometry, referenceCount: Int, isGuided: Bool) -> Int {
    let latents = latentShape(geometry)
    let tokens = latents[2] * (latents[3] / transformer.patchSize[1]) * (latents[4] / transformer.patchSize[2])
    let clips = (1 + referenceCount) * (isGuided ? 2 : 1)
    let contexts = clips * (WanConfiguration.textLength + imageEncoder.tokenCount)
    // A block of feed-forward tokens, and the widened weight panels of all threads.
    let hidden = 2048 * (transformer.feedForwardSize + 2 * transformer.hiddenSize)
    return 4 * (transformer.hiddenSize * (6 * clips * tokens + 4 * contexts) + hidden)
  }

  /// The frames of one chunk at full resolution: what goes into a convolution, what comes out, and what is kept of the
  /// chunk before for each convolution there.
  private func encoderWork(_ geometry: ClipGeometry, tiled: Bool) -> Int {
    let area = area(geometry, tiled: tiled)
    let pixels = 4 * 3 * geometry.frames * geometry.height * geometry.width
    let kept = 2 * 2 * autoencoder.residualBlocks
    return pixels * 2 + 4 * area * autoencoder.channels[0] * (4 * 2 + kept)
  }

  private func decoderWork(_ geometry: ClipGeometry, tiled: Bool) -> Int {
    let area = area(geometry, tiled: tiled)
    // The last block takes twice its own channels; before it they are upsampled.
    let kept = 2 * (2 * (autoencoder.residualBlocks + 1) + 1)
    let tiles = tiled ? 4 * 3 * geometry.frames * geometry.height * geometry.width * 2 : 0
    return tiles + 4 * area * autoencoder.channels[0] * (autoencoder.temporalRatio * 3 + kept)
  }

  private func area(_ geometry: ClipGeometry, tiled: Bool) -> Int {
    let tiling = autoencoder.defaultTiling
    return tiled
      ? min(geometry.height, tiling.height.size) * min(geometry.width, tiling.width.size)
      : geometry.height * geometry.width
  }
}
