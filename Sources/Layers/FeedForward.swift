import Compute
import Tensors

/// Linear, activation, linear, over blocks of tokens.
///
/// The hidden activation of all tokens would be the largest tensor of a block (0.87 GB a stream at the published
/// geometry), so it exists for one block of tokens at a time.
package struct FeedForward: Sendable {
  private static let tokenChunk = 2048

  private let input: Linear
  private let output: Linear
  private let activation: Activation

  /// Keys of the published layout: `net.0.proj.*` `[hidden, width]`, `net.2.*` `[outputs, hidden]`.
  ///
  /// - Parameter outputs: `width` by default.
  package init(
    _ scope: ParameterScope, width: Int, hidden: Int, outputs: Int? = nil, activation: Activation = .geluTanh
  ) {
    input = Linear(scope("net")(0)("proj"), inputs: width, outputs: hidden)
    output = Linear(scope("net")(2), inputs: hidden, outputs: outputs ?? width)
    self.activation = activation
  }

  /// `[B, N, width]` to `[B, N, outputs]`.
  package func callAsFunction(_ tokens: Tensor) -> Tensor {
    tokens.mappingRows(of: Self.tokenChunk) { output(input($0, activation)) }
  }
}
