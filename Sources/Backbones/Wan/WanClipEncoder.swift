import Autoencoders
import Compute
import Encoders
import Layers
import Media
import Runtime
import Tensors
import Tokenizers
import VideoTransformers

/// Autoencoder, image encoder and text encoder of a Wan pipeline, as training uses them.
package struct WanClipEncoder: ClipEncoder {
  package let clipIdentity: String
  package let captionIdentity: String
  private let autoencoder: WanAutoencoder
  private let pictures: WanPictureEncoder
  private let captions: CaptionEncoder
  private let tiling: SpatialTiling?
  private let context: RunContext
  private let faults: PublishedFaults

  fileprivate init(_ backbone: WanBackbone, _ options: BackboneOptions, observer: @escaping RunObserver) throws {
    clipIdentity = try backbone.clipIdentity(options)
    captionIdentity = try backbone.captionIdentity(options)
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

  /// "video", moments of the clip's posterior; "image", means of the posterior of its first frame and grey ones after it;
  /// "picture", the image encoder's tokens of its first frame.
  package func encode(_ clip: PreparedClip) throws -> [String: Tensor] {
    let pixels = clip.pixels
    let (frames, height, width) = (pixels.shape[2], pixels.shape[3], pixels.shape[4])
    let first = pixels.sliced(2, 0..<1).dense()
    let video = try autoencoder.encode(pixels, tiling: tiling, context: context)
    let image = try autoencoder.encode(
      WanLatents.conditionVideo(first, frames: frames), tiling: tiling, context: context)
    let picture =
      faults.contains(.stretchedPictures)
      ? try pictures.tokens(of: StretchedPicture(first.reshaped([3, height, width])), context: context)
      : try pictures.tokens(of: clip.picture, context: context)
    return ["video": video.moments, "image": image.mean, "picture": picture]
  }

  /// "text": the embedded caption.
  package func encode(caption: String, observer: RunObserver) throws -> [String: Tensor] {
    let caption = faults.contains(.unmaskedCaptions) ? caption : PromptCleaner.cleaned(caption)
    return ["text": try captions.embed(caption, context, observer: observer)]
  }
}

extension WanBackbone: ClipEncodingBackbone {
  package func clipIdentity(_ options: BackboneOptions) throws -> String {
    let pictures = options.faults.contains(.stretchedPictures) ? "stretched" : "whole"
    return "\(try identity(of: ["vae", "image_encoder", "image_processor"])), "
      + "\(options.usesTiles ? "tiled" : "whole"), pictures \(pictures)"
  }

  package func captionIdentity(_ options: BackboneOptions) throws -> String {
    let padding = options.faults.contains(.unmaskedCaptions) ? "unmasked" : "masked"
    return "\(try identity(of: ["tokenizer", "text_encoder"])), \(WanConfiguration.textLength) tokens, \(padding)"
  }

  package func makeClipEncoder(_ options: BackboneOptions, observer: @escaping RunObserver) throws -> any ClipEncoder {
    try WanClipEncoder(self, options, observer: observer)
  }
}
