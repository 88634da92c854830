import Autoencoders
import Compute
import Encoders
import Layers
import Runtime
import Tensors

/// What the CogVideoX denoiser takes besides the noisy latents. Captions come as pairs without and with guidance text.
package struct CogVideoXConditions: Sendable {
  /// Latents of the image and zeros for the later frames: `[1, F, C, H, W]`.
  package let image: Tensor
  /// Embedded caption: `[2, T, text size]`, negative first, or `[1, ...]` without guidance.
  package let text: Tensor
  package let reference: Reference?

  /// m references along the frame axis.
  package struct Reference: Sendable {
    /// Clean latents and first-frame condition side by side: `[1, m F, 2 C, H, W]`.
    package let latents: Tensor
    /// `[2, m T, text size]` or `[1, ...]`.
    package let text: Tensor
  }
}

extension CogVideoXBackbone {
  package func encode(
    _ prompt: VideoPrompt, _ geometry: ClipGeometry, noise: some NoiseSource, _ options: BackboneOptions,
    observer: @escaping RunObserver
  ) throws -> CogVideoXConditions {
    // Padding is not masked, as published.
    let texts = try CaptionEncoder.encode(prompt, options, observer: observer) {
      CaptionEncoder(
        tokenizer: try loadTokenizer(), encoder: try loadTextEncoder(textEncoder, observer: observer),
        length: transformer.maxTextLength, masksPadding: false)
    }
    BufferPool.shared.trim()
    let (image, references) = try encodePixels(prompt, geometry, noise, options, observer: observer)
    BufferPool.shared.trim()
    return CogVideoXConditions(
      image: image, text: texts.target,
      reference: references.map { CogVideoXConditions.Reference(latents: $0, text: texts.references) })
  }

  private func encodePixels(
    _ prompt: VideoPrompt, _ geometry: ClipGeometry, _ noise: some NoiseSource, _ options: BackboneOptions,
    observer: @escaping RunObserver
  ) throws -> (image: Tensor, references: Tensor?) {
    observer(.stage("encode image and references", units: 1 + 2 * prompt.references.count))
    let encoder = try loadAutoencoder(observer: observer)
    let scale = Float(autoencoder.scalingFactor)
    // Single frames are left unscaled where the published flag says that their scale is inverted.
    let frameScale = autoencoder.invertsScaleOfLatents ? 1 : scale
    let frames = latentShape(geometry)[1]
    var done = 0

    /// A sample of the posterior as `[1, F, C, H, W]`.
    func sample(_ video: Tensor, _ purpose: NoisePurpose, scale: Float) throws -> Tensor {
      let posterior = try encoder.encode(video, tiling: tiling(options), context: options.context)
      let latents = posterior.sample(noise: try noise.noise(for: purpose, shape: posterior.mean.shape))
      done += 1
      observer(.progress(done))
      return latents.permuted(0, 2, 1, 3, 4).scaled(by: scale)
    }
    /// A single frame's latents, followed by zeros.
    func condition(_ frame: Tensor, _ purpose: NoisePurpose) throws -> Tensor {
      let latents = try sample(frame, purpose, scale: frameScale)
      guard frames > 1 else { return latents }
      var padding = latents.shape.extents
      padding[1] = frames - 1
      return .concatenated([latents, .zeros(Shape(padding))], axis: 1)
    }

    let image = try condition(prompt.image, .image)
    let videos = try prompt.references.enumerated().map { index, reference in
      try sample(reference.video, .reference(index), scale: scale)
    }
    let references = try prompt.references.enumerated().map { index, reference in
      let first = try condition(reference.video.sliced(2, 0..<1), .referenceFirstFrame(index))
      return Tensor.concatenated([videos[index], first], axis: 2)
    }
    return (image, references.isEmpty ? nil : .concatenated(references, axis: 1))
  }
}
