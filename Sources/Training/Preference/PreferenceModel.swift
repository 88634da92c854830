import Backbones
import Layers
import Tensors

/// A model in preference training, beside the same model as it was at the start.
///
/// Samples are pairs (`ClipPair`). Both clips of a pair get the same noise level and references, and noise of their own,
/// as published; the model at the start sees the same noisy latents. At the first step both models agree, so the loss is
/// log 2 times the pair's weight.
package struct PreferenceModel<Model: TrainingModel>: TrainingModel {
  private let model: Model
  private let frozen: Model
  private let objective: PreferenceObjective
  private let tally = PreferenceTally()

  /// - Parameters:
  ///   - frozen: built from the weights that the run started from, with nothing to train.
  ///   - precision: of the training; the frozen weights are rounded as the trained ones are.
  package init(_ model: Model, frozen: Model, objective: PreferenceObjective, precision: Precision) {
    self.model = model
    self.frozen = frozen
    self.objective = objective
    let trained = Set(model.trainedParameters.map(\.key))
    for parameter in frozen.parameters where trained.contains(parameter.key) {
      parameter.update(to: parameter.tensor.detached.stored(as: precision.weights))
    }
  }

  package var parameters: [Parameter] { model.parameters }
  package func isUnread(_ key: String) -> Bool { model.isUnread(key) }
  package func accompaniesTrained(_ key: String) -> Bool { model.accompaniesTrained(key) }

  package func takeMeasures() -> [String: Double] { tally.take() }

  package func loss(
    target: EncodedClip, references: [EncodedClip], draws: TrainingDraws, context: RunContext
  ) throws -> Tensor {
    let pair = try ClipPair(unpacking: target)
    let sides = [(clip: pair.better, draws: draws), (clip: pair.worse, draws: draws.ofOtherVideo)]
    // Nothing of the frozen model is a variable, so nothing is recorded.
    let before = try sides.map { side in
      try frozen.loss(target: side.clip, references: references, draws: side.draws, context: RunContext()).floats()[0]
    }
    let now = try sides.map { side in
      try model.loss(target: side.clip, references: references, draws: side.draws, context: context)
    }
    let change = (now[0].floats()[0] - before[0]) - (now[1].floats()[0] - before[1])
    tally.note(margin: -Double(change))
    return objective.loss(
      better: now[0], worse: now[1], frozenBetter: before[0], frozenWorse: before[1], weight: pair.weight)
  }
}
