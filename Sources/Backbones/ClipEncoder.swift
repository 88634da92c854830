import Layers
import Media
import Runtime
import Tensors

/// The frozen encoders of a backbone, which stay loaded while this value lives.
///
/// Clips and captions are encoded apart: the same clip is a target with one caption, a reference with another, and
/// either without any. Results depend on nothing but the argument and the identity.
package protocol ClipEncoder: Sendable {
  /// Changes with everything that decides how clips are encoded: configurations, weights, tiling.
  var clipIdentity: String { get }
  /// Changes with everything that decides how captions are encoded.
  var captionIdentity: String { get }
  func encode(_ clip: PreparedClip) throws -> [String: Tensor]
  /// - Parameter observer: is warned of captions that are too long.
  func encode(caption: String, observer: RunObserver) throws -> [String: Tensor]
}

extension ClipEncoder {
  package func encode(_ clip: PreparedClip, caption: String, observer: RunObserver) throws -> EncodedClip {
    EncodedClip(tensors: try encode(clip).merging(encode(caption: caption, observer: observer)) { $1 })
  }
}

/// A backbone whose frozen encoders prepare clips for training.
package protocol ClipEncodingBackbone: VideoPromptBackbone {
  /// What `ClipEncoder.clipIdentity` will be, without loading anything.
  func clipIdentity(_ options: BackboneOptions) throws -> String
  /// What `ClipEncoder.captionIdentity` will be, without loading anything.
  func captionIdentity(_ options: BackboneOptions) throws -> String
  /// Loads the encoders.
  func makeClipEncoder(_ options: BackboneOptions, observer: @escaping RunObserver) throws -> any ClipEncoder
}

extension ClipEncodingBackbone {
  /// Estimated memory for encoding one clip, in bytes, besides the program itself. Whether the autoencoder works in tiles
  /// is not for the machine to decide here, as it changes the latents.
  package func encodingNeeds(_ geometry: ClipGeometry, _ options: BackboneOptions) throws -> Int {
    let stages = try memoryNeeds(geometry, referenceCount: 0, isGuided: false)
    let encoding = stages.first { $0.name == StageMemory.encoding }
    return encoding.map { $0.peak(paging: .keep, usesTiles: options.usesTiles) - StageMemory.program } ?? 0
  }
}

extension VideoPromptBackbone {
  /// Changes with the configuration and weights of components.
  func identity(of components: [String]) throws -> String {
    let digests = try components.map { try ContentDigest(samplingFilesIn: "\(directory)/\($0)").description }
    return ContentDigest(ofParts: digests).description
  }
}
