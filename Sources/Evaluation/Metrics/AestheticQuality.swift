import Checkpoints
import Encoders
import Layers
import Media
import Tensors

/// How well the frames of a clip would please (VBench's aesthetic quality): a linear map of CLIP's embedding (ViT-L/14)
/// that was fitted to people's marks of 0 to 10 for pictures.
package struct AestheticQuality: Sendable {
  private let encoder: CLIPVisionEncoder
  private let head: AestheticHead

  /// - Parameters:
  ///   - model: ViT-L/14.
  ///   - head: the weight file of the linear head.
  ///
  /// Throws the reader's errors, or `EvaluationFailure` for a head that does not fit the model.
  package init(_ model: CLIPModel, head: String) throws {
    encoder = model.vision
    self.head = try AestheticHead(file: head)
    guard self.head.weight.count == encoder.configuration.projectionSize else {
      throw EvaluationFailure.otherHead(
        path: head, inputs: self.head.weight.count, expected: encoder.configuration.projectionSize)
    }
  }

  package struct Score: Sendable, Equatable {
    /// The mean mark over 10.
    package let value: Double
    /// Marks of the frames, 0 to 10 in general.
    package let marks: [Double]
  }

  /// Throws `Interrupted`.
  package func score(_ clip: VideoClip) throws -> Score {
    let side = encoder.configuration.imageSize
    let marks = try Embeddings.ofFrames(clip, encoder) { CLIPImages.interpolated($0, side: side) }.map { frame in
      zip(frame, head.weight).reduce(Double(head.bias)) { $0 + Double($1.0) * Double($1.1) }
    }
    return Score(value: marks.reduce(0, +) / Double(marks.count) / 10, marks: marks)
  }
}

/// LAION's linear head, `sa_0_4_vit_l_14_linear.pth`, or the same as safetensors.
struct AestheticHead: Sendable {
  let weight: [Float]
  let bias: Float

  /// Keys: `weight` `[1, projection size]`, `bias` `[1]`.
  init(file: String) throws {
    let store = try WeightStore(anyFile: file)
    let loader = ParameterLoader(store)
    let shape = store.shape(of: "weight")?.extents ?? []
    let weight = loader.root.parameter("weight", [1, shape.last ?? 1])
    let bias = loader.root.parameter("bias", [1])
    try loader.finishExactly()
    self.weight = weight.tensor.floats()
    self.bias = bias.tensor.floats()[0]
  }
}
