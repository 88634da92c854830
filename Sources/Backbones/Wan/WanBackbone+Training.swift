import Layers
import Schedulers
import VideoTransformers

extension WanBackbone: TrainableBackbone {
  package func makeTraining(
    _ weights: any ParameterSource, _ geometry: ClipGeometry, faults: PublishedFaults,
    training isTrained: @escaping @Sendable (String) -> Bool
  ) throws -> WanTraining {
    let (model, parameters) = try build(weights, adapters: additions.adapterSources, training: isTrained) {
      WanTransformer($0, transformer)
    }
    return WanTraining(
      model, parameters: parameters, latentShape: latentShape(geometry), noising: noising, autoencoder: autoencoder,
      pictureTokens: imageEncoder.tokenCount, noisyReferenceLevels: additions.plan?.noisyReferenceLevels,
      faults: faults)
  }

  package func trained(with noising: FlowNoising) -> WanBackbone? {
    var copy = self
    copy.noising = noising
    return copy
  }
}
