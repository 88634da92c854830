import Encoders
import Foundation
import Layers
import Media
import Runtime
import Tensors
import Tokenizers

/// How well the frames of a clip fit a text: the cosine of CLIP's embeddings of each frame and of the text.
package struct CLIPScore: Sendable {
  private let model: CLIPModel
  private let tokenizer: CLIPTokenizer

  /// Throws `EvaluationFailure` if the tokenizer's vocabulary is not the model's.
  package init(_ model: CLIPModel, _ tokenizer: CLIPTokenizer) throws(EvaluationFailure) {
    guard tokenizer.vocabularySize == model.text.configuration.vocabularySize else {
      throw .otherVocabulary(
        tokens: tokenizer.vocabularySize, expected: model.text.configuration.vocabularySize)
    }
    self.model = model
    self.tokenizer = tokenizer
  }

  package struct Score: Sendable, Equatable {
    /// 100 times the mean cosine.
    package let value: Double
    /// Of each frame.
    package let cosines: [Double]
    /// Tokens at the end of the text for which there was no room.
    package let droppedTokens: Int
  }

  /// Throws `Interrupted`.
  package func score(_ clip: VideoClip, text: String) throws -> Score {
    let prompt = tokenizer.encode(text, length: model.text.configuration.contextLength)
    let embedding = try Embeddings.normalized(model.text.embedding(of: [prompt.ids], context: RunContext()))[0]
    let side = model.vision.configuration.imageSize
    let cosines = try Embeddings.ofFrames(clip, model.vision) { CLIPImages.resampled($0, side: side) }.map { frame in
      zip(frame, embedding).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    let mean = cosines.reduce(0, +) / Double(cosines.count)
    return Score(value: 100 * mean, cosines: cosines, droppedTokens: prompt.droppedCount)
  }
}

/// Embeddings of CLIP at length 1.
enum Embeddings {
  /// Frames that are encoded together; bounds memory and the time until an interruption is noticed.
  private static let batch = 16

  /// - Parameter prepare: makes the encoder's input of some frames.
  static func ofFrames(
    _ clip: VideoClip, _ encoder: CLIPVisionEncoder, prepare: (VideoClip) -> Tensor
  ) throws -> [[Float]] {
    var result: [[Float]] = []
    for start in stride(from: 0, to: clip.frameCount, by: batch) {
      try Interruption.check()
      let frames = clip.selecting(Array(start..<min(start + batch, clip.frameCount)))
      result += normalized(try encoder.embedding(of: prepare(frames), context: RunContext()))
    }
    return result
  }

  /// The rows of `[B, D]` divided by their lengths.
  static func normalized(_ embeddings: Tensor) -> [[Float]] {
    (0..<embeddings.shape[0]).map { row in
      let values = embeddings[row].floats()
      let length = Float(values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot())
      return values.map { $0 / length }
    }
  }
}
