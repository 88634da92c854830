import Layers
import Tensors

/// A model with its objective, ready to be trained: all that a trainer needs to know of a backbone.
package protocol TrainingModel: Sendable {
  /// All parameters of the transformer, frozen ones too.
  var parameters: [Parameter] { get }

  /// The loss of one sample, as one element that is recorded for a backward pass.
  ///
  /// Throws `TrainingSampleFailure` for clips that do not fit the model or each other.
  func loss(
    target: EncodedClip, references: [EncodedClip], draws: TrainingDraws, context: RunContext
  ) throws -> Tensor

  /// Whether published training finds a gradient of zero for this parameter, where this model finds none because nobody
  /// reads what it makes. With weight decay the two differ.
  func isUnread(_ key: String) -> Bool
}

extension TrainingModel {
  package var trainedParameters: [Parameter] { parameters.filter(\.isTrainable) }
}
