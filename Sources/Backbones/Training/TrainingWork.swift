import VideoTransformers

extension MixtureConfiguration {
  /// Estimated bytes of a training step besides weights and gradients: activations that are kept for the backward pass, and
  /// what the most demanding block needs on top.
  ///
  /// Counted in float32 tensors of a token's width that are alive together; the feed-forward's hidden tokens are kept where
  /// their activation or their weights need them.
  ///
  /// - Parameters:
  ///   - tokens, referenceTokens: of the target's stream and of all references together.
  ///   - feedForwardSize: width of the feed-forward's hidden tokens.
  ///   - recomputes: whether blocks keep only their inputs and are run again in the backward pass.
  func trainingWork(tokens: Int, referenceTokens: Int, feedForwardSize: Int, recomputes: Bool) -> Int {
    let blocks = layerCount * tokens + expertLayers.count * referenceTokens
    // Normalised tokens, queries, keys and values before and after their norms, attended tokens and sums of a block.
    let kept = 13 * hiddenSize + 2 * feedForwardSize
    // The gradients of these that are alive together.
    let flowing = 6 * hiddenSize + 2 * feedForwardSize
    let active = tokens + (expertLayers.isEmpty ? 0 : referenceTokens)
    return 4
      * (recomputes
        ? blocks * hiddenSize + active * (kept + flowing)
        : blocks * kept + active * flowing)
  }
}

extension CogVideoXBackbone {
  package func trainingWork(_ geometry: ClipGeometry, referenceCount: Int, recomputes: Bool) -> Int {
    let latents = latentShape(geometry)
    let patch = transformer.patchSize
    let tokens = transformer.maxTextLength + latents[1] * (latents[3] / patch) * (latents[4] / patch)
    return transformer.trainingWork(
      tokens: tokens, referenceTokens: referenceCount * tokens, feedForwardSize: 4 * transformer.hiddenSize,
      recomputes: recomputes)
  }
}

extension WanBackbone {
  package func trainingWork(_ geometry: ClipGeometry, referenceCount: Int, recomputes: Bool) -> Int {
    let latents = latentShape(geometry)
    let tokens = latents[2] * (latents[3] / transformer.patchSize[1]) * (latents[4] / transformer.patchSize[2])
    return transformer.trainingWork(
      tokens: tokens, referenceTokens: referenceCount * tokens, feedForwardSize: transformer.feedForwardSize,
      recomputes: recomputes)
  }
}
