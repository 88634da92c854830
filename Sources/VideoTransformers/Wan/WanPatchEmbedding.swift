import Compute
import Layers
import Tensors

/// Turns latents into tokens: a convolution whose stride is the size of a patch.
struct WanPatchEmbedding: Sendable {
  private let weight: Parameter
  private let bias: Parameter
  private let rows: Int
  private let columns: Int

  /// Keys: `weight` `[D, C, 1, patch rows, patch columns]`, `bias` `[D]`.
  init(_ scope: ParameterScope, _ configuration: WanConfiguration) {
    rows = configuration.patchSize[1]
    columns = configuration.patchSize[2]
    weight = scope.parameter("weight", [configuration.hiddenSize, configuration.inChannels, 1, rows, columns])
    bias = scope.parameter(
      "bias", [configuration.hiddenSize], initially: .uniform(fanIn: configuration.inChannels * rows * columns))
  }

  /// `[B, C, F, H, W]` to `[B, F H/rows W/columns, D]`, in (frame, row, column) order.
  func callAsFunction(_ latents: Tensor) -> Tensor {
    let (batch, channels, frames) = (latents.shape[0], latents.shape[1], latents.shape[2])
    let (height, width) = (latents.shape[3] / rows, latents.shape[4] / columns)
    let size = channels * rows * columns
    return latents.reshaped([batch, channels, frames, height, rows, width, columns])
      .permuted(0, 2, 3, 5, 1, 4, 6)
      .reshaped([batch, frames * height * width, size])
      .linear(weight.tensor.reshaped([weight.shape[0], size]), bias: bias.tensor)
  }

  /// Tokens in the convolution's own layout, `[B, D, F, H/rows, W/columns]`.
  func planes(of tokens: Tensor, _ shape: Shape) -> Tensor {
    tokens.transposed(1, 2).reshaped([shape[0], tokens.shape[2], shape[2], shape[3] / rows, shape[4] / columns])
  }
}
