import Backbones
import Compute
import Datasets
import Media
import Runtime
import Synchronization
import Tensors

/// Samples of the miniature world, rendered and encoded as a training asks for them; no clip is ever read from a file.
///
/// Encoded clips are kept as long as samples may show them again (see `MiniatureStream.Reuse`).
package final class MiniatureSamples: SampleSource, Sendable {
  package struct Settings: Sendable, Equatable {
    package var format = MiniatureClip.Format()
    /// Share of the captions that name condition and speed; the others name the subject alone.
    package var captionShare = 0.5
    package var reuse = MiniatureStream.Reuse()

    package init() {}
  }

  private let stream: MiniatureStream
  private let settings: Settings
  private let encoder: any ClipEncoder
  private let showsReference: Bool
  private let kept = Mutex(Kept())

  private struct Clip: Hashable, Sendable {
    let pair: Int
    let member: Int
  }

  private struct Kept {
    var clips: [Clip: [String: Tensor]] = [:]
    var captions: [String: Tensor] = [:]
  }

  /// - Parameter showsReference: whether a sample has the other clip of its pair as a reference.
  package init(
    _ stream: MiniatureStream, _ settings: Settings, encoder: any ClipEncoder, showsReference: Bool
  ) {
    self.stream = stream
    self.settings = settings
    self.encoder = encoder
    self.showsReference = showsReference
  }

  package var digest: String {
    ContentDigest(ofParts: [
      "\(stream)", "\(settings)", "\(showsReference)", encoder.clipIdentity, encoder.captionIdentity,
    ]).description
  }

  package func sample(at index: Int) throws -> TrainingSample { try samples(at: [index])[0] }

  package func samples(at indices: [Int]) throws -> [TrainingSample] {
    let places = indices.map { stream.place(of: $0, settings.reuse) }
    let members = places.map { showsReference ? [$0.member, 1 - $0.member] : [$0.member] }
    try keep(Set(zip(places, members).flatMap { place, members in members.map { Clip(pair: place.pair, member: $0) } }))
    if let first = indices.min() {
      let oldest = stream.oldestRound(of: first, settings.reuse) * MiniatureStream.conditionCount
      kept.withLock { kept in kept.clips = kept.clips.filter { $0.key.pair >= oldest } }
    }
    return try zip(places, members).map { place, members in
      let isNeutral = place.draw >= settings.captionShare
      let clips = try members.map { try encoded(Clip(pair: place.pair, member: $0), isNeutral: isNeutral) }
      return TrainingSample(target: clips[0], references: Array(clips.dropFirst()))
    }
  }

  private func encoded(_ clip: Clip, isNeutral: Bool) throws -> EncodedClip {
    let caption = stream.clip(pair: clip.pair, member: clip.member).caption(isNeutral: isNeutral)
    let text = try kept.withLock { $0.captions[caption] } ?? encode(caption)
    guard let tensors = kept.withLock({ $0.clips[clip] }) else {
      throw TrainingSampleFailure.missingTensor("video")
    }
    return EncodedClip(tensors: tensors.merging(["text": text]) { $1 })
  }

  private func encode(_ caption: String) throws -> Tensor {
    guard let text = try encoder.encode(caption: caption, observer: { _ in })["text"] else {
      throw TrainingSampleFailure.missingTensor("text")
    }
    kept.withLock { $0.captions[caption] = text }
    return text
  }

  /// Renders and encodes the clips that are not kept yet, one on each thread.
  private func keep(_ clips: Set<Clip>) throws {
    let missing = kept.withLock { kept in clips.filter { kept.clips[$0] == nil } }.sorted {
      ($0.pair, $0.member) < ($1.pair, $1.member)
    }
    let encoded = try MiniatureEncoding(encoder: encoder, format: settings.format).encode(
      missing.map { stream.clip(pair: $0.pair, member: $0.member) })
    kept.withLock { kept in
      // Half the memory, and far more digits than the autoencoder's own noise leaves.
      for (clip, tensors) in zip(missing, encoded) { kept.clips[clip] = tensors.mapValues { $0.stored(as: .float16) } }
    }
  }
}

/// Renders clips and encodes them.
struct MiniatureEncoding: Sendable {
  let encoder: any ClipEncoder
  let format: MiniatureClip.Format

  /// One clip on each thread: small clips are too little work to share.
  func encode(_ clips: [MiniatureClip]) throws -> [[String: Tensor]] {
    try Workers.mapTasks(clips) { clip in
      try Interruption.check()
      let frames = clip.render(format)
      return try encoder.encode(PreparedClip(pixels: frames.pixelTensor(), picture: frames))
    }
  }
}

extension Workers {
  /// The results of whole computations, each on one thread (see `forEachTask`); throws the first failure in their order.
  static func mapTasks<Item: Sendable, Result: Sendable>(
    _ items: [Item], _ body: @Sendable (Item) throws -> Result
  ) throws -> [Result] {
    let results = Mutex([Swift.Result<Result, any Error>?](repeating: nil, count: items.count))
    forEachTask(items.count) { index in
      let result = Swift.Result { try body(items[index]) }
      results.withLock { $0[index] = result }
    }
    return try results.withLock { $0 }.compactMap { try $0?.get() }
  }
}
