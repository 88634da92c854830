import Compute
import Layers
import Tensors

/// The convolutional encoder of RAFT, which AMT shares with narrower blocks: an image to features at 1/8 of its size.
///
/// A convolution of 7 x 7 taps with stride 2, three stages of two residual units with strides 1, 2, 2, and a linear map
/// of each pixel.
struct ResidualEncoder: Sendable {
  /// How results of convolutions are normalised.
  enum Normalization: Sendable {
    /// Per image and channel, without parameters.
    case instance
    /// By recorded statistics and learned weights.
    case batch
  }

  /// The shape of a residual unit.
  enum Unit: Sendable {
    /// Two convolutions of 3 x 3 taps.
    case basic
    /// 1 x 1 to a quarter of the channels, 3 x 3, 1 x 1.
    case bottleneck
  }

  private let first: NormalizedConv2D
  private let units: [ResidualUnit]
  private let last: Conv2D

  /// Keys: `conv1`, `norm1` (batch), `layer{1,2,3}.{0,1}.*`, `conv2`.
  init(_ scope: ParameterScope, widths: [Int], outputs: Int, _ normalization: Normalization, unit: Unit) {
    first = NormalizedConv2D(
      conv: Conv2D(scope("conv1"), inputs: 3, outputs: widths[0], height: 7, width: 7, stride: 2),
      norm: PlaneNorm(scope("norm1"), channels: widths[0], normalization))
    var units: [ResidualUnit] = []
    var inputs = widths[0]
    for (stage, width) in widths.enumerated() {
      for index in 0..<2 {
        units.append(
          ResidualUnit(
            scope("layer\(stage + 1)")(index), inputs: inputs, outputs: width,
            stride: stage > 0 && index == 0 ? 2 : 1, normalization, unit))
        inputs = width
      }
    }
    self.units = units
    last = Conv2D(scope("conv2"), inputs: inputs, outputs: outputs, height: 1, width: 1)
  }

  /// Keys that the published file holds without use: a second copy of the norms of skips, and counters.
  static func isUnusedKey(_ key: String) -> Bool {
    key.hasSuffix(".num_batches_tracked") || key.contains(".downsample.1.")
  }

  /// - Parameter image: `[1, H, W, 3]`, H and W multiples of 8.
  /// - Returns: `[1, H / 8, W / 8, outputs]`.
  func callAsFunction(_ image: Tensor) -> Tensor {
    let (raw, transform) = first(image, transform: nil, .relu)
    return last(units.reduce(raw.transformed(transform)) { $1($0) })
  }
}

/// relu(skip + f(x)), where f is a row of convolutions, each normalised and rectified.
private struct ResidualUnit: Sendable {
  private let convolutions: [NormalizedConv2D]
  private let skip: NormalizedConv2D?

  /// Keys: `conv1`... and, with a stride, `downsample.0`; batch norms `norm1`... in the same order.
  init(
    _ scope: ParameterScope, inputs: Int, outputs: Int, stride: Int, _ normalization: ResidualEncoder.Normalization,
    _ unit: ResidualEncoder.Unit
  ) {
    // Taps a side, channels and stride of each convolution.
    let plan: [(side: Int, channels: Int, stride: Int)] =
      switch unit {
      case .basic: [(3, outputs, stride), (3, outputs, 1)]
      case .bottleneck: [(1, outputs / 4, 1), (3, outputs / 4, stride), (1, outputs, 1)]
      }
    var channels = inputs
    var convolutions: [NormalizedConv2D] = []
    for (index, step) in plan.enumerated() {
      let conv = Conv2D(
        scope("conv\(index + 1)"), inputs: channels, outputs: step.channels, height: step.side, width: step.side,
        stride: step.stride)
      channels = step.channels
      convolutions.append(
        NormalizedConv2D(conv: conv, norm: PlaneNorm(scope("norm\(index + 1)"), channels: channels, normalization)))
    }
    self.convolutions = convolutions
    skip =
      stride == 1
      ? nil
      : NormalizedConv2D(
        conv: Conv2D(scope("downsample")(0), inputs: inputs, outputs: outputs, height: 1, width: 1, stride: stride),
        norm: PlaneNorm(scope("norm\(plan.count + 1)"), channels: outputs, normalization))
  }

  func callAsFunction(_ clip: Tensor) -> Tensor {
    var (raw, transform): (Tensor, PixelTransform?) = (clip, nil)
    for convolution in convolutions { (raw, transform) = convolution(raw, transform: transform, .relu) }
    let update = transform.map { raw.transformed($0) } ?? raw
    let kept = skip.map { skip in
      let (raw, transform) = skip(clip, transform: nil, .identity)
      return raw.transformed(transform)
    }
    return ((kept ?? clip) + update).activated(.relu)
  }
}

/// A convolution whose results are normalised by whoever reads them next.
private struct NormalizedConv2D: Sendable {
  let conv: Conv2D
  let norm: PlaneNorm

  /// The plain result, and what has to happen to its pixels.
  func callAsFunction(
    _ clip: Tensor, transform: PixelTransform?, _ activation: Activation
  ) -> (Tensor, PixelTransform) {
    let raw = conv(clip, transform: transform)
    return (raw, PixelTransform(norm.map(for: raw), activation: activation))
  }
}

/// Normalisation of the channels of an image.
private enum PlaneNorm: Sendable {
  case instance
  case batch(ChannelMap)

  private static let epsilon = 1e-5

  /// Keys of a batch norm: `weight`, `bias`, `running_mean`, `running_var`, `[channels]` each.
  init(_ scope: ParameterScope, channels: Int, _ normalization: ResidualEncoder.Normalization) {
    guard normalization == .batch else {
      self = .instance
      return
    }
    let (weight, bias) = (scope.parameter("weight", [channels]), scope.parameter("bias", [channels]))
    let (mean, variance) = (scope.parameter("running_mean", [channels]), scope.parameter("running_var", [channels]))
    let scale = zip(weight.tensor.doubles(), variance.tensor.doubles()).map { $0 / ($1 + Self.epsilon).squareRoot() }
    let offset = zip(bias.tensor.doubles(), zip(mean.tensor.doubles(), scale)).map { $0 - $1.0 * $1.1 }
    self = .batch(ChannelMap(scale: Tensor(scale.map { Float($0) }), offset: Tensor(offset.map { Float($0) })))
  }

  func map(for clip: Tensor) -> ChannelMap {
    switch self {
    case .instance: clip.channelNormalization(epsilon: Self.epsilon)
    case .batch(let map): map
    }
  }
}
