import Compute
import Layers
import Tensors

/// One step of RAFT's refinement: from correlations, context and the flow so far to a change of the flow.
struct RAFTUpdate: Sendable {
  private let correlation: (Conv2D, Conv2D)
  private let flow: (Conv2D, Conv2D)
  private let motion: Conv2D
  private let horizontal: SeparableGate
  private let vertical: SeparableGate
  private let flowHead: (Conv2D, Conv2D)
  private let maskHead: (Conv2D, Conv2D)

  /// Channels of the hidden state, of the context and of the motion features.
  static let width = 128

  /// Keys: `encoder.*`, `gru.conv{z,r,q}{1,2}`, `flow_head.conv{1,2}`, `mask.{0,2}`.
  init(_ scope: ParameterScope, radius: Int) {
    let encoder = scope("encoder")
    let lookup = CorrelationPyramid.channels(radius: radius)
    correlation = (
      Conv2D(encoder("convc1"), inputs: lookup, outputs: 256, height: 1, width: 1),
      Conv2D(encoder("convc2"), inputs: 256, outputs: 192)
    )
    flow = (
      Conv2D(encoder("convf1"), inputs: 2, outputs: 128, height: 7, width: 7),
      Conv2D(encoder("convf2"), inputs: 128, outputs: 64)
    )
    motion = Conv2D(encoder("conv"), inputs: 192 + 64, outputs: Self.width - 2)
    horizontal = SeparableGate(scope("gru"), suffix: "1", height: 1, width: 5)
    vertical = SeparableGate(scope("gru"), suffix: "2", height: 5, width: 1)
    flowHead = (
      Conv2D(scope("flow_head")("conv1"), inputs: Self.width, outputs: 256),
      Conv2D(scope("flow_head")("conv2"), inputs: 256, outputs: 2)
    )
    maskHead = (
      Conv2D(scope("mask")(0), inputs: Self.width, outputs: 256),
      Conv2D(scope("mask")(2), inputs: 256, outputs: 9 * 64, height: 1, width: 1)
    )
  }

  /// What the context, which stays the same in all steps, adds to the gates.
  struct Context: Sendable {
    let horizontal: SeparableGate.Terms
    let vertical: SeparableGate.Terms
  }

  /// - Parameter context: `[1, H, W, 128]`.
  func prepared(_ context: Tensor) -> Context {
    Context(horizontal: horizontal.terms(ofContext: context), vertical: vertical.terms(ofContext: context))
  }

  /// - Parameters:
  ///   - hidden: `[1, H, W, 128]`. - lookup: correlations around where `flow` leads. - flow: `[1, H, W, 2]`.
  /// - Returns: the new hidden state and the change of the flow.
  func callAsFunction(
    hidden: Tensor, _ context: Context, lookup: Tensor, flow: Tensor
  ) -> (hidden: Tensor, change: Tensor) {
    let correlated = correlation.1(correlation.0(lookup, activation: .relu), activation: .relu)
    let moved = self.flow.1(self.flow.0(flow, activation: .relu), activation: .relu)
    let mixed = motion(Tensor.concatenated([correlated, moved], axis: 3), activation: .relu)
    let features = Tensor.concatenated([mixed, flow], axis: 3)  // [1, H, W, 128]
    let turned = horizontal(hidden, features, context.horizontal)
    let next = vertical(turned, features, context.vertical)
    return (next, flowHead.1(flowHead.0(next, activation: .relu)))
  }

  /// The mask of the convex upsampling: `[1, H, W, 576]`.
  func mask(_ hidden: Tensor) -> Tensor {
    // The published factor, which balances gradients.
    maskHead.1(maskHead.0(hidden, activation: .relu)).scaled(by: 0.25)
  }
}

/// A gated recurrent unit with convolutions along one axis.
///
/// The published layers read hidden state, context and features side by side. Here their weights are cut into these three
/// parts, so that the part of the context is computed once for all steps and nothing has to be joined in memory.
struct SeparableGate: Sendable {
  /// One published convolution: weights for hidden state, context and features, `[128, 128, h, w]` each.
  private struct Gate: Sendable {
    let hidden: Tensor
    let context: Tensor
    let features: Tensor
    let bias: Tensor

    init(_ scope: ParameterScope, height: Int, width: Int) {
      let side = RAFTUpdate.width
      let weight = scope.parameter("weight", [side, 3 * side, height, width]).tensor
      let parts = (0..<3).map { weight.sliced(1, $0 * side..<($0 + 1) * side).dense() }
      (hidden, context, features) = (parts[0], parts[1], parts[2])
      bias = scope.parameter("bias", [side]).tensor
    }
  }

  /// A term of the sums of each gate.
  struct Terms: Sendable {
    let update: Tensor
    let reset: Tensor
    let candidate: Tensor
  }

  private let update: Gate
  private let reset: Gate
  private let candidate: Gate

  init(_ scope: ParameterScope, suffix: String, height: Int, width: Int) {
    update = Gate(scope("convz" + suffix), height: height, width: width)
    reset = Gate(scope("convr" + suffix), height: height, width: width)
    candidate = Gate(scope("convq" + suffix), height: height, width: width)
  }

  func terms(ofContext context: Tensor) -> Terms {
    func term(_ gate: Gate) -> Tensor { context.convolved(gate.context, bias: gate.bias) }
    return Terms(update: term(update), reset: term(reset), candidate: term(candidate))
  }

  /// h' = (1 - z) h + z q with z, r = sigmoid(...), q = tanh(... of r h).
  func callAsFunction(_ hidden: Tensor, _ features: Tensor, _ context: Terms) -> Tensor {
    func gated(_ gate: Gate, _ state: Tensor, _ term: Tensor, _ activation: Activation) -> Tensor {
      state.convolved(
        gate.hidden, bias: nil, adding: features.convolved(gate.features, bias: nil, adding: term),
        activation: activation)
    }
    let z = gated(update, hidden, context.update, .sigmoid)
    let r = gated(reset, hidden, context.reset, .sigmoid)
    let q = gated(candidate, r * hidden, context.candidate, .tanh)
    return hidden + z * (q - hidden)
  }
}
