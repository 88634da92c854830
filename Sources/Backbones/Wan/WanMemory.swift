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
      try encodingMemory { encoderWork(geometry, isTiled: $0) },
      try denoisingMemory(
        segments: "blocks", tokens: clips * tokens,
        contextTokens: clips * (WanConfiguration.textLength + imageEncoder.tokenCount),
        feedForwardSize: transformer.feedForwardSize),
      try decodingMemory { decoderWork(geometry, isTiled: $0) },
    ]
  }

  private func pictureMemory() throws -> StageMemory {
    let bytes = try weightBytes("image_encoder", segments: "vision_model.encoder.layers")
    let shape = imageEncoder.transformer
    return stage(
      "look at image and references", bytes,
      work: 4 * imageEncoder.tokenCount * (8 * shape.width + shape.feedForwardSize))
  }

  /// The clip, its first frame followed by grey ones, and a chunk on its way.
  private func encoderWork(_ geometry: ClipGeometry, isTiled: Bool) -> Int {
    let (height, width) = extent(geometry, isTiled: isTiled)
    return 2 * pixels(geometry)
      + autoencoder.encodingBytes(frames: geometry.frames, height: height, width: width)
  }

  /// A chunk on its way; with tiles, all frames of all of them before they are joined, and after.
  private func decoderWork(_ geometry: ClipGeometry, isTiled: Bool) -> Int {
    let (height, width) = extent(geometry, isTiled: isTiled)
    return (isTiled ? 2 * pixels(geometry) : 0)
      + autoencoder.decodingBytes(frames: geometry.frames, height: height, width: width)
  }

  private func pixels(_ geometry: ClipGeometry) -> Int { 4 * 3 * geometry.frames * geometry.height * geometry.width }

  /// Height and width of what goes through the autoencoder at a time.
  private func extent(_ geometry: ClipGeometry, isTiled: Bool) -> (height: Int, width: Int) {
    guard isTiled else { return (geometry.height, geometry.width) }
    let tiling = autoencoder.defaultTiling
    return (min(geometry.height, tiling.height.size), min(geometry.width, tiling.width.size))
  }
}
