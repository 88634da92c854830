import Autoencoders
import Compute
import Encoders
import Layers
import Media
import Runtime
import Tensors
import Tokenizers

/// The autoencoder and text encoder of a CogVideoX pipeline, as training uses them.
package struct CogVideoXClipEncoder: ClipEncoder {
  package let clipIdentity: String
  package let captionIdentity: String
  private let autoencoder: CogVideoXAutoencoder
  private let captions: CaptionEncoder
  private let tiling: SpatialTiling?
  private let context: RunContext

  fileprivate init(
    _ backbone: CogVideoXBackbone, _ options: BackboneOptions, observer: @escaping RunObserver
  ) throws {
    clipIdentity = try backbone.clipIdentity(options)
    captionIdentity = try backbone.captionIdentity()
    autoencoder = try backbone.loadAutoencoder(observer: observer)
    captions = CaptionEncoder(
      tokenizer: try backbone.loadTokenizer(),
      encoder: try backbone.loadTextEncoder(backbone.textEncoder, observer: observer),
      length: backbone.transformer.maxTextLength, masksPadding: false)
    tiling = backbone.tiling(options)
    context = options.context
  }

  /// "video" and "image": moments of the posteriors of the clip and of its first frame.
  package func encode(_ clip: PreparedClip) throws -> [String: Tensor] {
    let video = try autoencoder.encode(clip.pixels, tiling: tiling, context: context)
    let image = try autoencoder.encode(clip.pixels.sliced(2, 0..<1), tiling: tiling, context: context)
    return ["video": video.moments, "image": image.moments]
  }

  /// "text": the embedded caption.
  package func encode(caption: String, observer: RunObserver) throws -> [String: Tensor] {
    ["text": try captions.embed(caption, context, observer: observer)]
  }
}

extension CogVideoXBackbone: ClipEncodingBackbone {
  package func clipIdentity(_ options: BackboneOptions) throws -> String {
    "\(try identity(of: ["vae"])), \(options.usesTiles ? "tiled" : "whole")"
  }

  package func captionIdentity() throws -> String {
    "\(try identity(of: ["tokenizer", "text_encoder"])), \(transformer.maxTextLength) tokens"
  }

  package func makeClipEncoder(_ options: BackboneOptions, observer: @escaping RunObserver) throws -> any ClipEncoder {
    try CogVideoXClipEncoder(self, options, observer: observer)
  }
}
