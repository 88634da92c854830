import Checkpoints
import Encoders
import Layers
import VideoTransformers

/// Estimated memory of one stage, in bytes.
package struct StageMemory: Sendable, Equatable {
  package let name: String
  /// All weights of the stage's component.
  package let weights: Int
  /// The weights that are mapped at one time when they are paged: a segment, and what belongs to none. The next segment is
  /// read ahead into the system's cache, which gives way where memory is short.
  package let window: Int
  /// The weights' files, all of which takes address space while the stage runs.
  package let mapped: Int
  /// Activations and scratch.
  package let work: Int
  /// The same when the autoencoder works in tiles; equal to `work` for other components.
  package let tiledWork: Int
  /// What the program itself holds between stages, with its libraries and their tables; measured, and part of `work` of
  /// every stage of a backbone.
  package static let program = 90 << 20
  /// The name of the stage that the autoencoder encodes clips in.
  static let encoding = "encode image and references"

  /// - Parameter mapped: nil if that is all weights.
  package init(name: String, weights: Int, window: Int, mapped: Int? = nil, work: Int, tiledWork: Int? = nil) {
    self.name = name
    self.weights = weights
    self.window = window
    self.mapped = mapped ?? weights
    self.work = work
    self.tiledWork = min(tiledWork ?? work, work)
  }

  package func peak(paging: RunContext.Paging, usesTiles: Bool) -> Int {
    (paging == .keep ? weights : window) + (usesTiles ? tiledWork : work)
  }

  /// Bytes by which the stage may let the address space grow; paging changes nothing about it. The program's part of the
  /// work stands for what threads and video libraries reserve and hardly use.
  package func addressSpace(usesTiles: Bool) -> Int { mapped + (usesTiles ? tiledWork : work) }
}

// Estimates from counting the tensors that are alive together at the most demanding moment of a stage.
extension VideoPromptBackbone {
  /// The text encoder on `tokens`. Of its embeddings only the prompt's rows are read.
  func textMemory(_ encoder: T5EncoderConfiguration, tokens: Int) throws -> StageMemory {
    let bytes = try weightBytes("text_encoder", segments: "encoder.block", leaving: T5Encoder.isTiedKey)
    // The bias of all scores, and the part of it that is no padding.
    let bias = 2 * encoder.headCount * tokens * tokens
    return stage(
      "encode text", bytes, work: 4 * (tokens * (8 * encoder.hiddenSize + 3 * encoder.feedForwardSize) + bias))
  }

  /// The encoder of the autoencoder, for what it needs on whole frames and on tiles.
  func encodingMemory(_ work: (_ isTiled: Bool) -> Int) throws -> StageMemory {
    try autoencoderMemory(StageMemory.encoding, without: "decoder", work)
  }

  /// Its decoder, likewise, beside the video encoder that packs the frames.
  func decodingMemory(_ work: (_ isTiled: Bool) -> Int) throws -> StageMemory {
    let packing = 70 << 20
    return try autoencoderMemory("decode video", without: "encoder") { packing + work($0) }
  }

  /// - Parameter other: the path of the half that stays on disk.
  private func autoencoderMemory(
    _ name: String, without other: String, _ work: (_ isTiled: Bool) -> Int
  ) throws -> StageMemory {
    let bytes = try weightBytes("vae", leaving: { $0.hasPrefix("\(other).") })
    return stage(
      name, (bytes.window, bytes.window), mapped: bytes.all, work: work(false), tiledWork: work(true))
  }

  /// A stage that also has the program itself in memory, with its libraries and their tables.
  func stage(
    _ name: String, _ weights: (all: Int, window: Int), mapped: Int? = nil, work: Int, tiledWork: Int? = nil
  ) -> StageMemory {
    StageMemory(
      name: name, weights: weights.all, window: weights.window, mapped: mapped, work: StageMemory.program + work,
      tiledWork: tiledWork.map { StageMemory.program + $0 })
  }

  /// The transformer: of all streams normalised tokens, queries, keys, values and attended tokens; and a block of
  /// feed-forward tokens with the widened weight panels of all threads.
  ///
  /// - Parameters:
  ///   - segments: the path of the blocks' weights.
  ///   - tokens: of all streams and both halves of guidance together.
  ///   - contextTokens: likewise, of captions and pictures that each block attends to.
  func denoisingMemory(
    segments: String, tokens: Int, contextTokens: Int = 0, feedForwardSize: Int
  ) throws -> StageMemory {
    let bytes = try weightBytes("transformer", segments: segments)
    let width = transformer.hiddenSize
    return stage(
      "denoise", bytes,
      work: 4 * (width * (6 * tokens + 4 * contextTokens) + 2048 * (feedForwardSize + 2 * width)))
  }

  /// Sizes of a component's weights as they are stored: of all; and of those that are mapped at one time when they are
  /// paged, which are what belongs to no segment, and the largest segment.
  ///
  /// - Parameters:
  ///   - segments: the path under which the segments' weights lie by index; nil if there are none.
  ///   - isLeft: whether a tensor stays on disk but for a few rows.
  func weightBytes(
    _ component: String, segments path: String? = nil, leaving isLeft: (String) -> Bool = { _ in false }
  ) throws -> (all: Int, window: Int) {
    let store = try WeightStore(directory: "\(directory)/\(component)")
    var (all, resident) = (0, 0)
    var segments: [Int: Int] = [:]
    for name in store.names {
      let bytes = (store.shape(of: name)?.count ?? 0) * (store.dtype(of: name)?.byteCount ?? 0)
      all += bytes
      if let path, name.hasPrefix("\(path)."), let index = Int(name.dropFirst(path.count + 1).prefix { $0 != "." }) {
        segments[index, default: 0] += bytes
      } else if !isLeft(name) {
        resident += bytes
      }
    }
    return (all, resident + (segments.values.max() ?? 0))
  }
}
