import Layers
import Tensors

/// A model with its objective, ready to be trained: all that a trainer needs to know of a backbone.
package protocol TrainingModel: Sendable {
  /// All parameters of the model, frozen ones too.
  var parameters: [Parameter] { get }

  /// The loss of one sample, as one element that is recorded for a backward pass.
  ///
  /// Throws `TrainingSampleFailure` for clips that do not fit the model or each other.
  func loss(
    target: EncodedClip, references: [EncodedClip], draws: TrainingDraws, context: RunContext
  ) throws -> Tensor

  /// The sum of the losses of several samples, as one element; computed as one batch where the model can.
  func loss(of samples: [DrawnSample], context: RunContext) throws -> Tensor

  /// Whether published training finds a gradient of zero for this parameter, where this model finds none because nobody
  /// reads what it makes. With weight decay the two differ.
  func isUnread(_ key: String) -> Bool

  /// Whether a frozen parameter belongs to what is trained, so that trained weights are of no use without it.
  func accompaniesTrained(_ key: String) -> Bool

  /// What the losses since the last call tell besides, by name; of this process's samples.
  func takeMeasures() -> [String: Double]
}

/// A training sample with the random numbers of its turn.
package struct DrawnSample: Sendable {
  package let target: EncodedClip
  package let references: [EncodedClip]
  package let draws: TrainingDraws

  package init(target: EncodedClip, references: [EncodedClip], draws: TrainingDraws) {
    self.target = target
    self.references = references
    self.draws = draws
  }
}

extension TrainingModel {
  package var trainedParameters: [Parameter] { parameters.filter(\.isTrainable) }

  package func isUnread(_ key: String) -> Bool { false }
  package func takeMeasures() -> [String: Double] { [:] }

  package func accompaniesTrained(_ key: String) -> Bool { false }

  package func loss(of samples: [DrawnSample], context: RunContext) throws -> Tensor {
    let losses = try samples.map {
      try loss(target: $0.target, references: $0.references, draws: $0.draws, context: context)
    }
    return Tensor.concatenated(losses, axis: 0).sum()
  }
}
