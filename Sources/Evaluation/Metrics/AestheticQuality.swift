import Checkpoints
import Encoders
import Layers
import Media
import Tensors

/// How well the frames of a clip would please (VBench's aesthetic quality): a linear map of CLIP's embedding (ViT-L/14)
/// that was fitted to people's marks of 0 to 10 for pictures.
package struct AestheticQuality: Sendable {
  private let encoder: CLIPVisionEncoder
  private let weight: [Float]
  private let bias: Float

  /// - Parameters:
  ///   - model: ViT-L/14.
  ///   - head: the weight file of LAION's linear head, `sa_0_4_vit_l_14_linear.pth`, or the same as safetensors. Keys:
  ///     `weight` `[1, projection size]`, `bias` `[1]`.
  package init(_ model: CLIPModel, head: String) throws {
    encoder = model.vision
    let loader = ParameterLoader(try WeightStore(anyFile: head))
    let weight = loader.root.parameter("weight", [1, encoder.configuration.projectionSize])
    let bias = loader.root.parameter("bias", [1])
    try loader.finishExactly()
    self.weight = weight.tensor.floats()
    self.bias = bias.tensor.floats()[0]
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
      zip(frame, weight).reduce(Double(bias)) { $0 + Double($1.0) * Double($1.1) }
    }
    return Score(value: marks.reduce(0, +) / Double(marks.count) / 10, marks: marks)
  }
}
