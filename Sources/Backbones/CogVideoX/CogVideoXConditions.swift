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
    let latents = CogVideoXLatents(autoencoder: autoencoder)
    let frames = latentShape(geometry)[1]
    var done = 0

    func posterior(_ video: Tensor, _ purpose: NoisePurpose) throws -> (posterior: LatentPosterior, noise: Tensor) {
      let posterior = try encoder.encode(video, tiling: tiling(options), context: options.context)
      done += 1
      observer(.progress(done))
      return (posterior, try noise.noise(for: purpose, shape: posterior.mean.shape))
    }
    func condition(_ frame: Tensor, _ purpose: NoisePurpose) throws -> Tensor {
      let (posterior, noise) = try posterior(frame, purpose)
      return latents.condition(posterior, noise: noise, frames: frames)
    }

    let image = try condition(prompt.image, .image)
    let videos = try prompt.references.enumerated().map { index, reference in
      let (posterior, noise) = try posterior(reference.video, .reference(index))
      return latents.video(posterior, noise: noise)
    }
    let references = try prompt.references.enumerated().map { index, reference in
      let first = try condition(reference.video.sliced(2, 0..<1), .referenceFirstFrame(index))
      return Tensor.concatenated([videos[index], first], axis: 2)
    }
    return (image, references.isEmpty ? nil : .concatenated(references, axis: 1))
  }
}
