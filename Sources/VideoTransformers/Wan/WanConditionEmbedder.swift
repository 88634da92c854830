import Compute
import Layers
import Tensors

/// Takes timestep, caption and image to the width of the model; one for each branch.
struct WanConditionEmbedder: Sendable {
  private let frequencySize: Int
  private let time: EmbeddingProjection
  private let modulation: Linear
  private let text: EmbeddingProjection
  private let imageNorm: LayerNorm
  private let image: FeedForward
  private let imageOutputNorm: LayerNorm

  /// Keys: `time_embedder`, `time_proj`, `text_embedder`, `image_embedder`.
  init(_ scope: ParameterScope, _ configuration: WanConfiguration) {
    let (width, imageSize) = (configuration.hiddenSize, configuration.imageEmbeddingSize)
    frequencySize = configuration.frequencySize
    time = EmbeddingProjection(scope("time_embedder"), inputs: frequencySize, outputs: width)
    modulation = Linear(scope("time_proj"), inputs: width, outputs: 6 * width)
    text = EmbeddingProjection(
      scope("text_embedder"), inputs: configuration.textEmbeddingSize, outputs: width, activation: .geluTanh)
    let imageScope = scope("image_embedder")
    // These norms have the layer's default, whatever the configuration says of the others.
    imageNorm = LayerNorm(imageScope("norm1"), width: imageSize, epsilon: 1e-5)
    image = FeedForward(imageScope("ff"), width: imageSize, hidden: imageSize, outputs: width, activation: .gelu)
    imageOutputNorm = LayerNorm(imageScope("norm2"), width: width, epsilon: 1e-5)
  }

  /// An embedded timestep, and what blocks are modulated by: `[timesteps, D]` and `[timesteps, 6 D]`.
  func embed(timesteps: [Float], _ context: RunContext) -> (time: Tensor, modulation: Tensor) {
    let embedded = time(sinusoidalEmbedding(timesteps, width: frequencySize))
    let projected = modulation(embedded.activated(.silu))
    context.probe("temb", embedded)
    context.probe("timestep_proj", projected)
    return (embedded, projected)
  }

  /// `[B, T, text size]` and `[B, I, image size]` to `[B, T, D]` and `[B, I, D]`.
  func embed(text: Tensor, image: Tensor, _ context: RunContext) -> (text: Tensor, image: Tensor) {
    let embedded = (self.text(text), imageOutputNorm(self.image(imageNorm(image))))
    context.probe("text", embedded.0)
    context.probe("image", embedded.1)
    return embedded
  }
}
