import Checkpoints
import Compute
import Layers
import Runtime
import Schedulers
import Tensors

/// A backbone whose transformer can be trained, and used for generation while it is.
package protocol TrainableBackbone: VideoPromptBackbone {
  associatedtype Training: TrainingModel

  /// Builds the transformer with its objective.
  ///
  /// - Parameters:
  ///   - geometry: of all clips.
  ///   - isTrained: which parameters get gradients.
  func makeTraining(
    _ weights: any ParameterSource, _ geometry: ClipGeometry, faults: PublishedFaults,
    training isTrained: @escaping @Sendable (String) -> Bool
  ) throws -> Training
  /// Estimated bytes of a training step on one sample, besides weights and gradients.
  func trainingWork(_ geometry: ClipGeometry, referenceCount: Int, recomputes: Bool) -> Int
  /// The same backbone, trained on clips that are noised in another way; nil for one that is not trained by flow matching.
  func trained(with noising: FlowNoising) -> Self?
}

extension TrainableBackbone {
  package func trained(with noising: FlowNoising) -> Self? { nil }

  /// Whether expert training, as published, changes the parameter with this key.
  package func isPublishedTarget(_ key: String) -> Bool { TrainingPlan().isTrained(key) }

  /// Whether the parameter with this key is trained: by the plan, or as published.
  package func isTrained(_ key: String) -> Bool { additions.plan?.isTrained(key) ?? isPublishedTarget(key) }

  /// The transformer's weights as they lie in the directory.
  package func openWeights() throws -> any ParameterSource { try additions.weights(directory) }

  /// Builds the transformer for prediction only.
  package func makeDenoiser(_ weights: any ParameterSource) throws -> Denoiser {
    try build(weights, adapters: additions.adapterSources(in: weights), makeDenoiser(in:)).model
  }

  /// Builds a model from these weights; throws unless they fit.
  func build<Model>(
    _ weights: any ParameterSource, adapters: [any AdapterSource],
    training isTrained: @escaping @Sendable (String) -> Bool = { _ in false }, _ make: (ParameterScope) -> Model
  ) throws -> (model: Model, parameters: [Parameter]) {
    let loader = ParameterLoader(weights, adapters: adapters, training: isTrained)
    let model = make(loader.root)
    try additions.checkExpert(unused: loader.finish(ignoring: isUnusedKey))
    try loader.finishAdapters()
    return (model, loader.parameters)
  }
}

/// The weights of a model in training as they are now, for a second model that records nothing and shares their memory.
package struct CurrentWeights: ParameterSource {
  private let parameters: [String: Parameter]
  private let averages: [String: Tensor]

  /// - Parameter averages: values in place of those of some parameters, by their keys.
  package init(_ parameters: [Parameter], averages: [String: Tensor] = [:]) {
    self.averages = averages
    self.parameters = Dictionary(parameters.map { ($0.key, $0) }) { first, _ in first }
  }

  package var keys: [String] { Array(parameters.keys) }
  package var description: String { "the weights in training" }
  package func tensor(_ key: String, _ shape: Shape) -> Tensor? {
    averages[key] ?? parameters[key]?.tensor.detached
  }
}
