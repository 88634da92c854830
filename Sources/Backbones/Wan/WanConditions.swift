import Compute
import Encoders
import Layers
import Media
import Runtime
import Tensors
import Tokenizers
import VideoTransformers

/// What the Wan denoiser takes besides the noisy latents.
package struct WanConditions: Sendable {
  /// Mask, and latents of the image followed by grey frames: `[1, mask + C, F, H, W]`.
  package let image: Tensor
  /// The image as the image encoder sees it: `[1, I, image size]`, the same in both halves of guidance.
  package let picture: Tensor
  /// Embedded caption: `[2, T, text size]`, negative first, or `[1, ...]` without guidance.
  package let text: Tensor
  package let reference: Reference?

  /// m references along the frame axis.
  package struct Reference: Sendable {
    package let count: Int
    /// Clean latents, mask, and first-frame condition side by side: `[1, C + mask + C, m F, H, W]`.
    package let latents: Tensor
    /// `[1, m I, image size]`
    package let pictures: Tensor
    /// `[2, m T, text size]` or `[1, ...]`.
    package let text: Tensor
  }
}

extension WanBackbone {
  package func encode(
    _ prompt: VideoPrompt, _ geometry: ClipGeometry, noise: some NoiseSource, _ options: BackboneOptions,
    observer: @escaping RunObserver
  ) throws -> WanConditions {
    let texts = try encodeTexts(prompt, options, observer: observer)
    BufferPool.shared.trim()
    let pictures = try encodePictures(prompt, options, observer: observer)
    BufferPool.shared.trim()
    let (image, references) = try encodePixels(prompt, frames: geometry.frames, options, observer: observer)
    BufferPool.shared.trim()
    return WanConditions(
      image: image, picture: pictures[0], text: texts.target,
      reference: references.map { latents in
        WanConditions.Reference(
          count: prompt.references.count, latents: latents, pictures: .concatenated(Array(pictures[1...]), axis: 1),
          text: texts.references)
      })
  }

  /// Captions are cleaned; padding is masked, and zero in the result.
  private func encodeTexts(
    _ prompt: VideoPrompt, _ options: BackboneOptions, observer: @escaping RunObserver
  ) throws -> CaptionEmbeddings {
    try CaptionEncoder.encode(prompt.cleaned, options, observer: observer) {
      CaptionEncoder(
        tokenizer: try loadTokenizer(),
        encoder: try loadTextEncoder(textEncoder, observer: observer),
        length: WanConfiguration.textLength, masksPadding: true)
    }
  }

  /// The image, then each reference's first frame, all as they were before they were resized: `[1, I, image size]`.
  private func encodePictures(
    _ prompt: VideoPrompt, _ options: BackboneOptions, observer: @escaping RunObserver
  ) throws -> [Tensor] {
    observer(.stage("look at image and references", units: 1 + prompt.references.count))
    let encoder = try loadPictureEncoder(observer: observer)
    let pictures =
      [prompt.picture ?? VideoClip(pixels: prompt.image, frameRate: .training)]
      + prompt.references.map {
        $0.picture ?? VideoClip(pixels: $0.video.sliced(2, 0..<1), frameRate: .training)
      }
    return try pictures.enumerated().map { index, picture in
      defer { observer(.progress(index + 1)) }
      return try encoder.tokens(of: picture, context: options.context)
    }
  }

  private func encodePixels(
    _ prompt: VideoPrompt, frames: Int, _ options: BackboneOptions, observer: @escaping RunObserver
  ) throws -> (image: Tensor, references: Tensor?) {
    observer(.stage("encode image and references", units: 1 + 2 * prompt.references.count))
    let encoder = try loadAutoencoder(observer: observer)
    let latents = WanLatents(autoencoder: autoencoder)
    var done = 0
    func mean(of video: Tensor) throws -> Tensor {
      let posterior = try encoder.encode(video, tiling: tiling(options), context: options.context)
      done += 1
      observer(.progress(done))
      return posterior.mean
    }
    func condition(_ frame: Tensor) throws -> Tensor {
      latents.condition(mean: try mean(of: WanLatents.conditionVideo(frame, frames: frames)))
    }
    let references = try prompt.references.map { reference in
      Tensor.concatenated(
        [
          latents.video(mean: try mean(of: reference.video)),
          try condition(reference.video.sliced(2, 0..<1).dense()),
        ], axis: 1)
    }
    let image = try condition(prompt.image)
    return (image, references.isEmpty ? nil : .concatenated(references, axis: 2))
  }
}

extension VideoPrompt {
  /// With all captions cleaned.
  fileprivate var cleaned: VideoPrompt {
    VideoPrompt(
      image: image, picture: picture, caption: PromptCleaner.cleaned(caption),
      negativeCaption: PromptCleaner.cleaned(negativeCaption),
      negativeReferenceCaption: PromptCleaner.cleaned(negativeReferenceCaption),
      references: references.map {
        Reference(video: $0.video, picture: $0.picture, caption: PromptCleaner.cleaned($0.caption))
      })
  }
}
