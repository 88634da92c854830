import Tensors

/// Everything that a run needs to go on as if it had never stopped.
package struct TrainingSnapshot: Sendable {
  package var progress: TrainingProgress
  /// The trained weights by their published keys, in the model's order.
  package var weights: [(key: String, tensor: Tensor)]
  package var optimizer: OptimizerState
  /// Moving averages of the weights, if the run keeps them.
  package var averages: [String: Tensor]?

  package init(
    progress: TrainingProgress, weights: [(key: String, tensor: Tensor)], optimizer: OptimizerState,
    averages: [String: Tensor]?
  ) {
    self.progress = progress
    self.weights = weights
    self.optimizer = optimizer
    self.averages = averages
  }
}
