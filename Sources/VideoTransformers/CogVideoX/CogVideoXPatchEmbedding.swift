import Compute
import Foundation
import Layers
import Tensors

/// Turns latents and text embeddings into tokens, and adds the position table.
struct CogVideoXPatchEmbedding: Sendable {
  private let projection: Parameter
  private let projectionBias: Parameter?
  private let textProjection: Linear
  private let learnedPositions: Parameter?
  private let configuration: CogVideoXConfiguration

  /// Keys: `proj.weight` `[D, C, p, p]`, `proj.bias`, `text_proj.*`, and `pos_embedding` `[1, text + video, D]` if learned.
  init(_ scope: ParameterScope, _ configuration: CogVideoXConfiguration) {
    let (width, patch) = (configuration.hiddenSize, configuration.patchSize)
    projection = scope("proj").parameter("weight", [width, configuration.inChannels, patch, patch])
    projectionBias =
      configuration.usesPatchBias
      ? scope("proj").parameter(
        "bias", [width], initially: .uniform(fanIn: configuration.inChannels * patch * patch)) : nil
    textProjection = Linear(scope("text_proj"), inputs: configuration.textEmbeddingSize, outputs: width)
    let videoTokens =
      configuration.sampleLatentFrames * (configuration.sampleHeight / patch) * (configuration.sampleWidth / patch)
    learnedPositions =
      configuration.usesLearnedEmbeddings
      ? scope.parameter(
        "pos_embedding", [1, configuration.maxTextLength + videoTokens, width],
        initially: .values { CogVideoXTransformer.initialPositions(configuration) }) : nil
    self.configuration = configuration
  }

  /// - Parameters:
  ///   - latents: `[B, F, C, H, W]` (latent frames and sizes). - text: `[B, T, text size]`.
  /// - Returns: text tokens `[B, T, D]` and video tokens `[B, F H/p W/p, D]` in (frame, row, column) order.
  func callAsFunction(_ latents: Tensor, _ text: Tensor) -> (text: Tensor, video: Tensor) {
    let (batch, frames, channels) = (latents.shape[0], latents.shape[1], latents.shape[2])
    let patch = configuration.patchSize
    let (rows, columns) = (latents.shape[3] / patch, latents.shape[4] / patch)
    let patches = latents.reshaped([batch, frames, channels, rows, patch, columns, patch])
      .permuted(0, 1, 3, 5, 2, 4, 6)
      .reshaped([batch, frames * rows * columns, channels * patch * patch])
    let weight = projection.tensor.reshaped([configuration.hiddenSize, channels * patch * patch])
    let video = patches.linear(weight, bias: projectionBias?.tensor)
    let textTokens = textProjection(text)
    guard let positions = positions(frames: frames, height: latents.shape[3], width: latents.shape[4]) else {
      return (textTokens, video)
    }
    let textCount = configuration.maxTextLength
    precondition(text.shape[1] == textCount, "text of \(text.shape[1]) tokens where the model has \(textCount)")
    return (
      textTokens.addingRows(positions.sliced(0, 0..<textCount)),
      video.addingRows(positions.sliced(0, textCount..<positions.shape[0]))
    )
  }

  /// The table added to [text | video], `[T + N, D]`, or nil for a model with rotary embedding alone.
  private func positions(frames: Int, height: Int, width: Int) -> Tensor? {
    let isSampleSize =
      height == configuration.sampleHeight && width == configuration.sampleWidth
      && frames == configuration.sampleLatentFrames
    if let learnedPositions, isSampleSize {
      return learnedPositions.tensor.reshaped([learnedPositions.shape[1], learnedPositions.shape[2]])
    }
    guard configuration.usesLearnedEmbeddings || !configuration.usesRotaryEmbeddings else { return nil }
    return CogVideoXTransformer.sinusoidalPositions(configuration, frames: frames, height: height, width: width)
  }
}

extension CogVideoXTransformer {
  /// The stored table as a new model starts with it: `[1, T + N, D]`.
  fileprivate static func initialPositions(_ configuration: CogVideoXConfiguration) -> Tensor {
    let table = sinusoidalPositions(
      configuration, frames: configuration.sampleLatentFrames, height: configuration.sampleHeight,
      width: configuration.sampleWidth)
    return table.reshaped(Shape([1] + table.shape.extents))
  }

  /// The 3-D sin-cos table that the reference code makes for clips of another length than the stored table's.
  ///
  /// A quarter of D for time, the rest halved between column and row; text rows are zero. Computed in float64.
  package static func sinusoidalPositions(
    _ configuration: CogVideoXConfiguration, frames: Int, height: Int, width: Int
  ) -> Tensor {
    let size = configuration.hiddenSize
    let (temporalSize, axisSize) = (size / 4, size * 3 / 8)
    func rows(_ count: Int, _ size: Int, _ scale: Double) -> [[Float]] {
      (0..<count).map { index in
        let angles = (0..<size / 2).map { k in
          Double(index) / scale * (1 / Foundation.pow(10000, Double(k) / Double(size / 2)))
        }
        return angles.map { Float(sin($0)) } + angles.map { Float(cos($0)) }
      }
    }
    let patch = configuration.patchSize
    let times = rows(frames, temporalSize, configuration.temporalInterpolationScale)
    let lines = rows(height / patch, axisSize, configuration.spatialInterpolationScale)
    let columns = rows(width / patch, axisSize, configuration.spatialInterpolationScale)
    var values = [Float](repeating: 0, count: configuration.maxTextLength * size)
    values.reserveCapacity(values.count + times.count * lines.count * columns.count * size)
    for time in times {
      for line in lines {
        for column in columns { values += time + column + line }
      }
    }
    return Tensor(values, shape: [values.count / size, size])
  }
}
