import Layers
import Runtime
import Schedulers
import VideoTransformers

extension CogVideoXBackbone: TrainableBackbone {
  package func makeTraining(
    _ weights: any ParameterSource, _ geometry: ClipGeometry, faults: PublishedFaults,
    training isTrained: @escaping @Sendable (String) -> Bool
  ) throws -> CogVideoXTraining {
    try makeTraining(weights, geometry, faults: faults, adapters: additions.adapterSources, training: isTrained)
  }

  /// A model in training as it is now, adapters among it, for predictions that record nothing.
  package func makeMeasured(_ weights: CurrentWeights, _ geometry: ClipGeometry) throws -> CogVideoXTraining {
    try makeTraining(
      weights, geometry, faults: [], adapters: additions.adapterSources(in: weights), training: { _ in false })
  }

  private func makeTraining(
    _ weights: any ParameterSource, _ geometry: ClipGeometry, faults: PublishedFaults, adapters: [any AdapterSource],
    training isTrained: @escaping @Sendable (String) -> Bool
  ) throws -> CogVideoXTraining {
    let (model, parameters) = try build(weights, adapters: adapters, training: isTrained) {
      CogVideoXTransformer($0, transformer)
    }
    return CogVideoXTraining(
      model, parameters: parameters, latentShape: latentShape(geometry), schedule: try noiseSchedule(),
      autoencoder: autoencoder, noisyReferenceLevels: additions.plan?.noisyReferenceLevels,
      objective: additions.plan?.objective ?? ObjectivePlan(), faults: faults)
  }

  /// Throws unless the checkpoint's schedule is one that velocities can be trained with.
  private func noiseSchedule() throws(BackboneFailure) -> NoiseSchedule {
    switch scheduler {
    case .ddim(let configuration), .dpm(let configuration):
      let schedule = NoiseSchedule(configuration)
      if schedule.predictionKind == .velocity { return schedule }
    case .flowMatchEuler, .unipc: break
    }
    throw .component(
      path: "\(directory)/scheduler/scheduler_config.json",
      problem: "training needs a CogVideoX scheduler whose prediction_type is 'v_prediction'")
  }
}
