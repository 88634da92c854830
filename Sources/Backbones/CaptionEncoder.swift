import Encoders
import Layers
import Runtime
import Synchronization
import Tensors
import Tokenizers

/// The captions of a prompt, embedded; with guidance as pairs, the negative caption first.
struct CaptionEmbeddings: Sendable {
  /// `[1 or 2, T, text size]`
  let target: Tensor
  /// The references' captions joined along tokens, `[1 or 2, m T, text size]`; the target's without references.
  let references: Tensor
}

/// A tokenizer and a text encoder as one pipeline uses them.
struct CaptionEncoder: Sendable {
  let tokenizer: any PromptTokenizer
  let encoder: T5Encoder
  /// T, to which each caption is cut and padded.
  let length: Int
  /// Whether the encoder does not see padding, and its rows are zero in the result.
  let masksPadding: Bool
  private let cuts = Cuts()

  /// How many captions were too long. A data set may have thousands of them, which would hide all else that is told.
  private final class Cuts: Sendable {
    static let told = 10
    let count = Atomic(0)
  }

  init(tokenizer: any PromptTokenizer, encoder: T5Encoder, length: Int, masksPadding: Bool) {
    self.tokenizer = tokenizer
    self.encoder = encoder
    self.length = length
    self.masksPadding = masksPadding
  }

  /// Encodes each caption by itself, and what takes its place in the unguided half.
  ///
  /// - Parameter load: loads tokenizer and encoder, once the stage is announced.
  static func encode(
    _ prompt: VideoPrompt, _ options: BackboneOptions, observer: @escaping RunObserver,
    load: () throws -> CaptionEncoder
  ) throws -> CaptionEmbeddings {
    let captions = [prompt.caption] + prompt.references.map(\.caption)
    let negatives = options.isGuided ? Set([prompt.negativeCaption, prompt.negativeReferenceCaption]).count : 0
    observer(.stage("encode text", units: captions.count + negatives))
    let loaded = try load()
    var done = 0
    func embed(_ caption: String) throws -> Tensor {
      defer {
        done += 1
        observer(.progress(done))
      }
      return try loaded.embed(caption, options.context, observer: observer)
    }
    let embedded = try captions.map(embed)
    let references = embedded.count > 1 ? Tensor.concatenated(Array(embedded[1...]), axis: 1) : embedded[0]
    guard options.isGuided else { return CaptionEmbeddings(target: embedded[0], references: references) }
    let negative = try embed(prompt.negativeCaption)
    let other = negatives > 1 ? try embed(prompt.negativeReferenceCaption) : negative
    let others = Tensor.concatenated(Array(repeating: other, count: max(1, prompt.references.count)), axis: 1)
    return CaptionEmbeddings(
      target: .concatenated([negative, embedded[0]], axis: 0), references: .concatenated([others, references], axis: 0))
  }

  /// `[1, T, text size]`
  func embed(_ caption: String, _ context: RunContext, observer: RunObserver) throws -> Tensor {
    let tokens = try tokenizer.encode(caption, maxLength: length)
    if tokens.droppedCount > 0 { tell(ofCut: caption, observer) }
    let ids = [tokens.ids.map(Int.init)]
    guard masksPadding else { return try encoder(ids, context: context) }
    let count = tokens.attentionMask.count { $0 == 1 }
    let embedded = try encoder(ids, keyCounts: [count], context: context)
    let padding = Tensor.zeros([1, length - count, embedded.shape[2]])
    return count == length ? embedded : .concatenated([embedded.sliced(1, 0..<count), padding], axis: 1)
  }

  private func tell(ofCut caption: String, _ observer: RunObserver) {
    let count = cuts.count.add(1, ordering: .relaxed).newValue
    guard count <= Cuts.told else { return }
    observer(
      .warning(
        "the caption '\(printable(caption, limit: 40))' is longer than \(length) tokens; its end is ignored"
          + (count == Cuts.told ? "; further ones are not told" : "")))
  }
}
