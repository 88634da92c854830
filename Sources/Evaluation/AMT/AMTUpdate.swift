import Compute
import Layers
import Tensors

/// Corrects flows and features of one resolution by the correlations where the flows lead.
///
/// It computes at 1/8 of the image's size, whatever the resolution of the state.
struct AMTUpdate: Sendable {
  private let correlation: LeakyConv2D
  private let flow: (LeakyConv2D, LeakyConv2D)
  private let joined: LeakyConv2D
  private let mixing: (LeakyConv2D, Conv2D)
  private let featureHead: (LeakyConv2D, Conv2D)
  private let flowHead: (LeakyConv2D, Conv2D)
  /// Resolution of the state over that of the correlations.
  private let scale: Int

  /// Keys: `convc1`, `convf1`, `convf2`, `conv`, `gru.{0,2}`, `feat_head.{0,2}`, `flow_head.{0,2}`.
  init(_ scope: ParameterScope, channels: Int, lookup: Int, scale: Int) {
    let width = 76
    correlation = LeakyConv2D(scope("convc1"), inputs: lookup, outputs: 64, side: 1)
    flow = (
      LeakyConv2D(scope("convf1"), inputs: 4, outputs: 40, side: 7),
      LeakyConv2D(scope("convf2"), inputs: 40, outputs: 20)
    )
    joined = LeakyConv2D(scope("conv"), inputs: 64 + 20, outputs: 68)
    mixing = (
      LeakyConv2D(scope("gru")(0), inputs: 68 + 4 + channels, outputs: width),
      Conv2D(scope("gru")(2), inputs: width, outputs: width)
    )
    featureHead = (
      LeakyConv2D(scope("feat_head")(0), inputs: width, outputs: width),
      Conv2D(scope("feat_head")(2), inputs: width, outputs: channels)
    )
    flowHead = (
      LeakyConv2D(scope("flow_head")(0), inputs: width, outputs: width),
      Conv2D(scope("flow_head")(2), inputs: width, outputs: 4)
    )
    self.scale = scale
  }

  /// - Parameters:
  ///   - features: `[1, H, W, C]` of the state. - flows: both flows at 1/8, `[1, H / scale, W / scale, 4]`.
  ///   - lookup: `[1, H / scale, W / scale, ...]`.
  /// - Returns: what to add to the features, and to both flows `[1, H, W, 4]`.
  func callAsFunction(features: Tensor, flows: Tensor, lookup: Tensor) -> (features: Tensor, flows: Tensor) {
    let state = scale == 1 ? features : features.resizedBilinearly(height: flows.shape[1], width: flows.shape[2])
    let seen = joined(Tensor.concatenated([correlation(lookup), flow.1(flow.0(flows))], axis: 3))
    let mixed = mixing.1(mixing.0(Tensor.concatenated([seen, flows, state], axis: 3)))
    let change = featureHead.1(featureHead.0(mixed))
    let move = flowHead.1(flowHead.0(mixed))
    guard scale > 1 else { return (change, move) }
    let (height, width) = (features.shape[1], features.shape[2])
    return (
      change.resizedBilinearly(height: height, width: width),
      move.resizedBilinearly(height: height, width: width, times: Float(scale))
    )
  }
}

/// A convolution whose negative results are scaled by 0.1.
private struct LeakyConv2D: Sendable {
  private let conv: Conv2D
  private let slopes: Tensor

  init(_ scope: ParameterScope, inputs: Int, outputs: Int, side: Int = 3) {
    conv = Conv2D(scope, inputs: inputs, outputs: outputs, height: side, width: side)
    slopes = .filled([outputs], with: 0.1)
  }

  func callAsFunction(_ clip: Tensor) -> Tensor { conv(clip, slopes: slopes) }
}
