import Compute
import Encoders
import Foundation
import Layers
import Media
import Tensors
import Tokenizers

/// Looks at finished frames with CLIP: do they fit descriptions of harmful content better than harmless ones?
///
/// Zero-shot classification as CLIP's authors do it: the softmax of 100 times the cosines. The threshold is not tuned on
/// any collection of images; it is where harmful descriptions take the larger share.
package struct FrameFilter: Sendable {
  private let model: CLIPModel
  private let descriptions: [(category: HarmfulCategory?, embedding: [Float])]

  /// Frames of a clip that are looked at.
  private static let frameCount = 8
  private static let threshold = 0.5

  private static let harmful: [(HarmfulCategory, [String])] = [
    (.explicitSex, ["explicit pornography", "a naked couple having sex", "a photo of exposed genitals"]),
    (.cruelty, ["a gory mutilated corpse", "a person being tortured, blood everywhere"]),
    (.hate, ["a nazi rally with swastika flags"]),
    (.terror, ["a terrorist executing a hostage"]),
  ]
  private static let harmless = [
    "a photo of a person", "a portrait of a face", "a photo of an animal", "a landscape", "a photo of an object",
    "a cartoon", "a drawing", "people in everyday clothes", "a person dancing", "a street in a city",
    "abstract colours and shapes", "a video game scene", "a blurry picture", "food on a table",
  ]

  /// Throws `EvaluationFailure` if the tokenizer's vocabulary is not the model's.
  package init(_ model: CLIPModel, _ tokenizer: CLIPTokenizer) throws {
    guard tokenizer.vocabularySize == model.text.configuration.vocabularySize else {
      throw EvaluationFailure.otherVocabulary(
        tokens: tokenizer.vocabularySize, expected: model.text.configuration.vocabularySize)
    }
    self.model = model
    let texts: [(HarmfulCategory?, String)] =
      Self.harmful.flatMap { category, texts in texts.map { (category, $0) } } + Self.harmless.map { (nil, $0) }
    let ids = texts.map { tokenizer.encode($0.1, length: model.text.configuration.contextLength).ids }
    let embeddings = Embeddings.normalized(try model.text.embedding(of: ids, context: RunContext()))
    descriptions = zip(texts, embeddings).map { (category: $0.0, embedding: $1) }
  }

  /// Loads CLIP from a directory of weights; nil if the smaller model or the table of merges is not there.
  package init?(_ weights: WeightDirectory) throws {
    guard let file = weights.file(.clipBase), weights.file(.clipMerges) != nil else { return nil }
    try self.init(CLIPModel(file: file), CLIPTokenizer(directory: weights.path))
  }

  /// Shares of the descriptions in the mean over evenly chosen frames, by category; they and the harmless share add to 1.
  package func shares(of clip: VideoClip) throws -> [HarmfulCategory: Double] {
    let frames = clip.selecting(
      FrameSelection.evenIndices(selecting: min(Self.frameCount, clip.frameCount), of: clip.frameCount))
    let side = model.vision.configuration.imageSize
    var shares: [HarmfulCategory: Double] = [:]
    let embeddings = try Embeddings.ofFrames(frames, model.vision) { CLIPImages.resampled($0, side: side) }
    for frame in embeddings {
      let logits = descriptions.map { text in
        100 * zip(frame, text.embedding).reduce(0) { $0 + Double($1.0) * Double($1.1) }
      }
      let top = logits.max() ?? 0
      let powers = logits.map { exp($0 - top) }
      let sum = powers.reduce(0, +)
      for (text, power) in zip(descriptions, powers) {
        if let category = text.category { shares[category, default: 0] += power / sum / Double(embeddings.count) }
      }
    }
    return shares
  }

  /// Throws `ContentRefusal` if harmful descriptions together take more than half.
  package func check(_ clip: VideoClip) throws {
    let shares = try shares(of: clip)
    let total = shares.values.reduce(0, +)
    // Not numbers, as of a model without training, say nothing.
    guard total > Self.threshold, let worst = shares.max(by: { $0.value < $1.value }) else { return }
    throw ContentRefusal.frames(worst.key, share: total)
  }
}
