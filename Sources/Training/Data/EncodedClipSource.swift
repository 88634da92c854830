import Backbones
import Compute
import Datasets
import Foundation
import Runtime
import Synchronization
import Tensors

/// Encoded clips of a data folder: from a cache where they are kept, else encoded on the spot and then kept.
///
/// The frozen encoders are loaded when something is first missing. A clip from the cache has the same bits as one that
/// was just encoded.
package final class EncodedClipSource: Sendable {
  private let backbone: any ClipEncodingBackbone
  private let options: BackboneOptions
  private let folder: DataFolder
  private let loader: ClipLoader
  private let cache: Kept?
  private let digests = FileDigests()
  private let encoder = Mutex<(any ClipEncoder)?>(nil)
  /// What was read from the cache lately, as views of its files, by video and by caption: finding and opening them again
  /// would take longer than a small model's step allows.
  private let recent = Mutex<[Recent: [String: Tensor]]>([:])
  private static let recentLimit = 1024

  private enum Recent: Hashable {
    case clip(String)
    case caption(String)
  }

  private struct Kept: Sendable {
    let cache: LatentCache
    let clipIdentity: String
    let captionIdentity: String
  }

  /// - Parameter cache: nil to encode everything each time.
  package init(
    _ backbone: any ClipEncodingBackbone, _ options: BackboneOptions, folder: DataFolder, loader: ClipLoader,
    cache: LatentCache?
  ) throws {
    self.backbone = backbone
    self.options = options
    self.folder = folder
    self.loader = loader
    self.cache = try cache.map {
      Kept(
        cache: $0, clipIdentity: try backbone.clipIdentity(options),
        captionIdentity: try backbone.captionIdentity(options))
    }
  }

  /// - Parameters:
  ///   - video: path relative to the data folder.
  ///   - caption: as it is to be encoded, cleaned.
  package func clip(_ video: String, caption: String, observer: @escaping RunObserver) throws -> EncodedClip {
    let clip = try clip(video, observer: observer)
    return EncodedClip(tensors: clip.merging(try self.caption(caption, observer: observer)) { $1 })
  }

  /// The clip's tensors without its caption's; throws `UnreadableVideo` where the file is at fault.
  package func clip(_ video: String, observer: @escaping RunObserver) throws -> [String: Tensor] {
    try remembered(.clip(video)) {
      let path = try UnreadableVideo.catching(video) { try folder.file(video) }
      return try kept(try clipKey(path, video), note: ["video": video]) {
        let clip = try UnreadableVideo.catching(video) { try loader.load(path) }
        return try loadedEncoder(observer).encode(clip)
      }
    }
  }

  package func caption(_ caption: String, observer: @escaping RunObserver) throws -> [String: Tensor] {
    try remembered(.caption(caption)) {
      try kept(captionKey(caption), note: ["caption": caption]) {
        try loadedEncoder(observer).encode(caption: caption, observer: observer)
      }
    }
  }

  private func remembered(
    _ name: Recent, _ find: () throws -> (tensors: [String: Tensor], isFromCache: Bool)
  ) throws -> [String: Tensor] {
    if let tensors = recent.withLock({ $0[name] }) { return tensors }
    let found = try find()
    // What was encoded just now has memory of its own, which a large data set would add up.
    guard found.isFromCache else { return found.tensors }
    recent.withLock { recent in
      if recent.count >= Self.recentLimit { recent.removeAll(keepingCapacity: true) }
      recent[name] = found.tensors
    }
    return found.tensors
  }

  /// Whether the cache has a clip already; its file is read at most, not decoded.
  package func isKept(_ video: String) throws -> Bool {
    let path = try UnreadableVideo.catching(video) { try folder.file(video) }
    guard let cache, let key = try clipKey(path, video) else { return false }
    return cache.cache.contains(key)
  }

  package func isKept(caption: String) -> Bool {
    guard let cache, let key = captionKey(caption) else { return false }
    return cache.cache.contains(key)
  }

  private func clipKey(_ path: String, _ video: String) throws -> LatentCache.Key? {
    guard let cache else { return nil }
    let contents = try UnreadableVideo.catching(video) { try digests.digest(ofFile: path).description }
    return LatentCache.Key(kind: "clip", parts: [contents, cache.clipIdentity, loader.description])
  }

  private func captionKey(_ caption: String) -> LatentCache.Key? {
    cache.map { LatentCache.Key(kind: "caption", parts: [caption, $0.captionIdentity]) }
  }

  private func kept(
    _ key: LatentCache.Key?, note: [String: String], _ encode: () throws -> [String: Tensor]
  ) throws -> (tensors: [String: Tensor], isFromCache: Bool) {
    guard let cache, let key else { return (try encode(), false) }
    if let tensors = try cache.cache.tensors(for: key) { return (tensors, true) }
    let tensors = try encode()
    try cache.cache.store(tensors, for: key, note: note)
    return (tensors, false)
  }

  private func loadedEncoder(_ observer: @escaping RunObserver) throws -> any ClipEncoder {
    try encoder.withLock { encoder in
      if let encoder { return encoder }
      try checkMemory()
      let loaded = try backbone.makeClipEncoder(options, observer: observer)
      encoder = loaded
      return loaded
    }
  }

  /// Throws `TrainingFailure.notEnoughForEncoding` if there is too little memory for clips of the largest size.
  private func checkMemory() throws {
    let needed = try loader.buckets.map { bucket in
      try backbone.encodingNeeds(
        ClipGeometry(height: bucket.height, width: bucket.width, frames: bucket.frames), options)
    }.max()
    let left = min(MachineMemory.left, BufferPool.shared.addressSpaceLeft ?? .max)
    if let needed, needed > left { throw TrainingFailure.notEnoughForEncoding(needed: needed, left: left) }
  }
}
