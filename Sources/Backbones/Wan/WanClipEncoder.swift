import Autoencoders
import Compute
import Encoders
import Layers
import Media
import Runtime
import Tensors
import Tokenizers
import VideoTransformers

/// Autoencoder, image encoder and text encoder of a Wan pipeline, as training uses them: loaded while this value lives.
package struct WanClipEncoder: Sendable {
  private let autoencoder: WanAutoencoder
  private let pictures: WanPictureEncoder
  private let captions: CaptionEncoder
  private let tiling: SpatialTiling?
  private let context: RunContext
  private let faults: PublishedFaults

  package init(_ backbone: WanBackbone, _ options: BackboneOptions, observer: @escaping RunObserver) throws {
    autoencoder = try backbone.loadAutoencoder(observer: observer)
    pictures = try backbone.loadPictureEncoder(observer: observer)
    captions = CaptionEncoder(
      tokenizer: try backbone.loadTokenizer(),
      encoder: try backbone.loadTextEncoder(backbone.textEncoder, observer: observer),
      length: WanConfiguration.textLength, masksPadding: !options.faults.contains(.unmaskedCaptions))
    tiling = backbone.tiling(options)
    context = options.context
    faults = options.faults
  }

  /// "video", "image" and "picture" of an `EncodedClip`.
  ///
  /// - Parameters:
  ///   - pixels: `[1, 3, F, H, W]`, values about -1...1.
  ///   - picture: the first frame at its own size.
  package func encode(pixels: Tensor, picture: VideoClip) throws -> [String: Tensor] {
    let (frames, height, width) = (pixels.shape[2], pixels.shape[3], pixels.shape[4])
    let first = pixels.sliced(2, 0..<1).dense()
    let video = try autoencoder.encode(pixels, tiling: tiling, context: context)
    let image = try autoencoder.encode(
      WanLatents.conditionVideo(first, frames: frames), tiling: tiling, context: context)
    let shown =
      faults.contains(.stretchedPictures) ? StretchedPicture.clip(first.reshaped([3, height, width])) : picture
    return [
      "video": video.moments, "image": image.mean, "picture": try pictures.tokens(of: shown, context: context),
    ]
  }

  /// "text" of an `EncodedClip`.
  ///
  /// - Parameter observer: is warned of captions that are too long.
  package func encode(caption: String, observer: RunObserver) throws -> [String: Tensor] {
    let caption = faults.contains(.unmaskedCaptions) ? caption : PromptCleaner.cleaned(caption)
    return ["text": try captions.embed(caption, context, observer: observer)]
  }
}
