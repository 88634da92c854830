import Layers
import Schedulers
import VideoTransformers

extension WanBackbone: TrainableBackbone {
  package func isPublishedTarget(_ key: String) -> Bool { WanTransformer.isExpertWeight(key) }

  package func makeTraining(
    _ weights: any ParameterSource, _ geometry: ClipGeometry, faults: PublishedFaults,
    training isTrained: @escaping @Sendable (String) -> Bool
  ) throws -> WanTraining {
    let (model, parameters) = try build(
      weights, adapters: additions.adapterSources, ignoring: WanTransformer.isUnusedKey, training: isTrained
    ) { WanTransformer($0, transformer) }
    return WanTraining(
      model, parameters: parameters, latentShape: latentShape(geometry), noising: noising, autoencoder: autoencoder,
      pictureTokens: imageEncoder.tokenCount, faults: faults)
  }

  package func trained(with noising: FlowNoising) -> WanBackbone? {
    var copy = self
    copy.noising = noising
    return copy
  }

  package func makeDenoiser(_ weights: any ParameterSource) throws -> WanDenoiser {
    let (model, _) = try build(
      weights, adapters: additions.adapterSources(in: weights), ignoring: WanTransformer.isUnusedKey
    ) { WanTransformer($0, transformer) }
    return WanDenoiser(model: model, positionDesign: .temporalBias)
  }
}
