import Tensors

/// Direct preference optimisation of a diffusion model (Wallace et al. 2023), as published for Video-As-Prompt: the better
/// video of a pair should be predicted better than by the model as it was, and the worse one worse.
package struct PreferenceObjective: Sendable, Equatable {
  /// How far the model may move from what it was.
  package var strength = 500.0

  package init() {}

  /// -log sigmoid(-strength / 2 ((better - worse) - (same of the frozen model))) times weight; all losses one element.
  ///
  /// - Parameters:
  ///   - better, worse: the model's losses on both videos, at one timestep and with noise of their own.
  ///   - frozenBetter, frozenWorse: those of the model without its adapters, on the same noisy latents.
  ///   - weight: of the pair.
  package func loss(
    better: Tensor, worse: Tensor, frozenBetter: Float, frozenWorse: Float, weight: Double
  ) -> Tensor {
    let half = strength / 2
    let difference = (better - worse).scaled(by: 1, adding: -(frozenBetter - frozenWorse))
    return difference.scaled(by: Float(half)).softplus().scaled(by: Float(weight))
  }
}
