import Tensors

/// Group normalisation over channels, frames and pixels of a clip `[F, H, W, C]`, with learned weight and bias.
package struct GroupNorm: Sendable {
  private let weight: Parameter
  private let bias: Parameter
  private let groups: Int
  private let epsilon: Double

  /// Keys: `weight`, `bias`, `[channels]` each.
  package init(_ scope: ParameterScope, channels: Int, groups: Int, epsilon: Double) {
    weight = scope.parameter("weight", [channels])
    bias = scope.parameter("bias", [channels])
    self.groups = groups
    self.epsilon = epsilon
  }

  /// The normalisation of `clip` as a function per channel, for a convolution to apply as it reads.
  package func map(for clip: Tensor) -> ChannelMap {
    clip.groupNormalization(groups: groups, weight: weight.tensor, bias: bias.tensor, epsilon: epsilon)
  }
}
