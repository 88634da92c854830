import Compute
import Layers
import Runtime
import Tensors

/// Root-mean-square normalisation over the channels of each pixel.
struct WanNorm: ChunkNorm {
  private let weight: Parameter

  /// Key: `gamma`, `[channels, 1, 1, 1]`, or `[channels, 1, 1]` for norms of single images.
  init(_ scope: ParameterScope, channels: Int, isImage: Bool = false) {
    weight = scope.parameter("gamma", isImage ? [channels, 1, 1] : [channels, 1, 1, 1], initially: .ones)
  }

  func transform(of chunk: Tensor, given: Void = (), _ activation: Activation) -> PixelTransform {
    PixelTransform(.rms(weight: weight.tensor, epsilon: epsilon), activation: activation)
  }

  func callAsFunction(_ chunk: Tensor) -> Tensor { chunk.rmsNormalized(weight: weight.tensor, epsilon: epsilon) }

  /// The published norm divides by the length of the pixel's vector, or by 1e-12 if that is larger.
  private var epsilon: Float { 1e-24 / Float(weight.shape[0]) }
}

extension ResidualDesign<WanNorm> {
  /// The blocks of the Wan autoencoder.
  static var wan: ResidualDesign {
    ResidualDesign(
      activation: .silu, norm: { WanNorm($0, channels: $1) },
      convolution: { CausalConv3D($0, inputs: $1, outputs: $2, padding: .zeros) })
  }
}

/// Two residual blocks with attention between them, at the lowest resolution.
struct WanMiddle: Sendable {
  private let first: ResidualBlock<WanNorm>
  private let attention: WanImageAttention
  private let last: ResidualBlock<WanNorm>

  /// Keys: `resnets.{0,1}`, `attentions.0`.
  init(_ scope: ParameterScope, channels: Int) {
    first = ResidualBlock(scope("resnets")(0), inputs: channels, outputs: channels, .wan)
    attention = WanImageAttention(scope("attentions")(0), channels: channels)
    last = ResidualBlock(scope("resnets")(1), inputs: channels, outputs: channels, .wan)
  }

  func apply(to chunk: inout Tensor, _ cache: inout TemporalCache, _ context: RunContext) throws {
    try Interruption.check()
    first.apply(to: &chunk, given: (), &cache)
    chunk = attention(chunk)
    context.probe("attentions.0", chunk.channelsFirst)
    try Interruption.check()
    last.apply(to: &chunk, given: (), &cache)
  }
}

/// Attention among the pixels of each frame, with one head, added to the input.
struct WanImageAttention: Sendable {
  private let norm: WanNorm
  private let projection: Parameter
  private let projectionBias: Parameter
  private let output: Parameter
  private let outputBias: Parameter

  /// Keys: `norm.gamma`, `to_qkv.weight` `[3 C, C, 1, 1]`, `to_qkv.bias`, `proj.weight` `[C, C, 1, 1]`, `proj.bias`.
  init(_ scope: ParameterScope, channels: Int) {
    norm = WanNorm(scope("norm"), channels: channels, isImage: true)
    projection = scope("to_qkv").parameter("weight", [3 * channels, channels, 1, 1])
    projectionBias = scope("to_qkv").parameter("bias", [3 * channels], initially: .uniform(fanIn: channels))
    output = scope("proj").parameter("weight", [channels, channels, 1, 1])
    outputBias = scope("proj").parameter("bias", [channels], initially: .uniform(fanIn: channels))
  }

  /// `[F, H, W, C]`.
  func callAsFunction(_ chunk: Tensor) -> Tensor {
    let (frames, pixels, channels) = (chunk.shape[0], chunk.shape[1] * chunk.shape[2], chunk.shape[3])
    let normed = norm(chunk).reshaped([frames, pixels, channels])
    func projected(_ index: Int) -> Tensor {
      let rows = index * channels..<(index + 1) * channels
      let weight = projection.tensor.sliced(0, rows).reshaped([channels, channels])
      return normed.linear(weight, bias: projectionBias.tensor.sliced(0, rows)).splitIntoHeads(1)
    }
    let attended = projected(0).attending(to: [KeyValues(keys: projected(1), values: projected(2))])
    let update = attended.linear(output.tensor.reshaped([channels, channels]), bias: outputBias.tensor)
    return chunk + update.reshaped(chunk.shape)
  }
}

/// A convolution with three taps in time alone that halves or doubles the number of frames, all but the first.
struct WanTimeConvolution: Sendable {
  private let weight: Parameter
  private let bias: Parameter

  /// Keys: `weight` `[outputs, inputs, 3, 1, 1]`, `bias` `[outputs]`.
  init(_ scope: ParameterScope, inputs: Int, outputs: Int) {
    weight = scope.parameter("weight", [outputs, inputs, 3, 1, 1])
    bias = scope.parameter("bias", [outputs], initially: .uniform(fanIn: 3 * inputs))
  }

  /// `[F, H, W, C]` to `[F / 2, H, W, C]`; the first chunk, a single frame, stays as it is.
  func halved(_ chunk: Tensor, _ cache: inout TemporalCache) -> Tensor {
    let frames = chunk.shape[0]
    guard let previous = cache.exchange({ _ in chunk.sliced(0, frames - 1..<frames).dense() }) else { return chunk }
    return convolved(
      .concatenated([previous, chunk], axis: 0), starts: Array(stride(from: 0, to: frames - 1, by: 2)), parts: 1)
  }

  /// `[F, H, W, C]` to `[2 F, H, W, C]`; the first chunk, a single frame, stays as it is.
  ///
  /// The first frame is not seen by the convolution either: zeros stand before the second chunk.
  func doubled(_ chunk: Tensor, _ cache: inout TemporalCache) -> Tensor {
    let (frames, height, width, channels) = (chunk.shape[0], chunk.shape[1], chunk.shape[2], chunk.shape[3])
    let previous = cache.exchange { previous in
      guard let previous else { return .zeros([2, height, width, channels]) }
      return Tensor.concatenated([previous, chunk], axis: 0).sliced(0, frames..<frames + 2).dense()
    }
    guard let previous else { return chunk }
    // The first half of the outputs is the earlier frame.
    return convolved(.concatenated([previous, chunk], axis: 0), starts: Array(0..<frames), parts: 2)
  }

  /// For each start the taps on that frame and the two after it: `[starts x parts, H, W, outputs / parts]`, the parts of
  /// the outputs being frames that follow each other.
  private func convolved(_ window: Tensor, starts: [Int], parts: Int) -> Tensor {
    let (outputs, inputs) = (weight.shape[0], weight.shape[1])
    // What the taps read of a pixel lies side by side, so they are one product.
    let taps = weight.tensor.reshaped([outputs, inputs, 3]).transposed(1, 2).reshaped([outputs, 3 * inputs])
    let frames = starts.flatMap { start in
      let pixels = window.sliced(0, start..<start + 3).permuted(1, 2, 0, 3)
        .reshaped([1, window.shape[1], window.shape[2], 3 * inputs])
      return (0..<parts).map { part in
        let rows = part * outputs / parts..<(part + 1) * outputs / parts
        return pixels.linear(taps.sliced(0, rows), bias: bias.tensor.sliced(0, rows))
      }
    }
    return .concatenated(frames, axis: 0)
  }
}
