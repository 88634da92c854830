import Compute
import Layers
import Tensors

/// Two flows from the frame in the middle, to the first and to the second image, and features of the middle frame.
struct AMTState {
  /// `[1, H, W, 2]` each, in pixels of this resolution.
  var first: Tensor
  var second: Tensor
  /// `[1, H, W, C]`.
  var features: Tensor
}

/// The body of a decoder: convolution, a residual block, and a transposed convolution that doubles the resolution.
struct AMTDecoderBody: Sendable {
  private let input: PReLUConv2D
  private let block: SideResidualBlock
  private let output: TransposedConv2D

  /// Keys: `convblock.0.*`, `convblock.1.*`, `convblock.2.*`.
  init(_ scope: ParameterScope, inputs: Int, width: Int, outputs: Int) {
    input = PReLUConv2D(scope("convblock")(0), inputs: inputs, outputs: width)
    block = SideResidualBlock(scope("convblock")(1), width: width)
    output = TransposedConv2D(scope("convblock")(2), inputs: width, outputs: outputs)
  }

  /// `[1, H, W, inputs]` to `[1, 2 H, 2 W, outputs]`.
  func callAsFunction(_ clip: Tensor) -> Tensor { output(block(input(clip))) }
}

/// Five convolutions around which the input is led, of which the second and fourth see the last 20 channels only.
private struct SideResidualBlock: Sendable {
  private static let side = 20

  private let whole: (PReLUConv2D, PReLUConv2D)
  private let partial: (PReLUConv2D, PReLUConv2D)
  private let last: Conv2D
  private let slopes: Parameter
  private let width: Int

  /// Keys: `conv1.*`...`conv4.*` of a `PReLUConv2D`, `conv5.*`, `prelu.weight`.
  init(_ scope: ParameterScope, width: Int) {
    whole = (
      PReLUConv2D(scope("conv1"), inputs: width, outputs: width),
      PReLUConv2D(scope("conv3"), inputs: width, outputs: width)
    )
    partial = (
      PReLUConv2D(scope("conv2"), inputs: Self.side, outputs: Self.side),
      PReLUConv2D(scope("conv4"), inputs: Self.side, outputs: Self.side)
    )
    last = Conv2D(scope("conv5"), inputs: width, outputs: width)
    slopes = scope("prelu").parameter("weight", [width])
    self.width = width
  }

  func callAsFunction(_ clip: Tensor) -> Tensor {
    let first = replacingSide(of: whole.0(clip), by: partial.0)
    let second = replacingSide(of: whole.1(first), by: partial.1)
    return last(second, adding: clip, slopes: slopes.tensor)
  }

  private func replacingSide(of clip: Tensor, by map: PReLUConv2D) -> Tensor {
    let kept = width - Self.side
    return Tensor.concatenated([clip.sliced(3, 0..<kept), map(clip.sliced(3, kept..<width))], axis: 3)
  }
}

/// The first decoder to run: from the coarsest features of both images to flows and features at twice their resolution.
struct AMTInitialDecoder: Sendable {
  private let body: AMTDecoderBody

  /// - Parameters: inputs: channels of the images' features; outputs: channels of the middle frame's features.
  init(_ scope: ParameterScope, inputs: Int, outputs: Int) {
    body = AMTDecoderBody(scope, inputs: 2 * inputs + 1, width: 2 * inputs, outputs: outputs + 4)
  }

  /// - Parameter time: of the middle frame, 0 at the first image and 1 at the second.
  func callAsFunction(_ first: Tensor, _ second: Tensor, time: Float) -> AMTState {
    let plane = Tensor.filled([1, first.shape[1], first.shape[2], 1], with: time)
    let fields = body(Tensor.concatenated([first, second, plane], axis: 3))
    return AMTState(
      first: fields.sliced(3, 0..<2).dense(), second: fields.sliced(3, 2..<4).dense(),
      features: fields.sliced(3, 4..<fields.shape[3]).dense())
  }
}

/// A decoder that refines flows and features while it doubles their resolution.
struct AMTDecoder: Sendable {
  private let body: AMTDecoderBody

  /// - Parameters: inputs: channels of all features that come in; outputs: channels of the features that go out.
  init(_ scope: ParameterScope, inputs: Int, outputs: Int) {
    body = AMTDecoderBody(scope, inputs: 3 * inputs + 4, width: 3 * inputs, outputs: outputs + 4)
  }

  /// - Parameters: first, second: features of the images, at the state's resolution.
  func callAsFunction(_ state: AMTState, _ first: Tensor, _ second: Tensor) -> AMTState {
    let fields = body(state.joined(first, second))
    return AMTState(
      first: fields.sliced(3, 0..<2) + state.first.doubledFlow(),
      second: fields.sliced(3, 2..<4) + state.second.doubledFlow(),
      features: fields.sliced(3, 4..<fields.shape[3]).dense())
  }
}

extension AMTState {
  /// What decoders read: the features, those of the images as the flows move them, and the flows.
  func joined(_ first: Tensor, _ second: Tensor) -> Tensor {
    Tensor.concatenated(
      [features, first.warped(by: self.first), second.warped(by: self.second), self.first, self.second], axis: 3)
  }
}

extension Tensor {
  /// A flow at twice its resolution, in pixels of that.
  func doubledFlow() -> Tensor { resizedBilinearly(height: 2 * shape[1], width: 2 * shape[2], times: 2) }
}
