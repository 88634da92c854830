import Checkpoints
import Encoders
import Layers
import VideoTransformers

// How backbones describe their components.
extension VideoPromptBackbone {
  /// Opens the model in a component's folder to describe it.
  func summary(
    _ component: String, _ facts: [ComponentSummary.Fact], ignoring ignorable: (String) -> Bool = { _ in false },
    _ build: (ParameterScope) -> Void
  ) throws -> ComponentSummary {
    let isTransformer = component == "transformer"
    var stores = [try WeightStore(directory: "\(directory)/\(component)")]
    if isTransformer, let expert = additions.expert { stores.insert(try WeightStore(directory: expert), at: 0) }
    let loader =
      isTransformer
      ? ParameterLoader(try additions.weights(directory), adapters: additions.adapterSources)
      : ParameterLoader(stores[0])
    build(loader.root)
    let unexpected = try loader.finish { ignorable($0) || isTransformer && additions.isReplaced($0) }
    if isTransformer { try additions.checkExpert(unused: unexpected) }
    try loader.finishAdapters()
    return ComponentSummary(name: component, facts: facts, stores: stores, unexpected: unexpected)
  }

  /// How the model reads references: "mixture, expert in blocks 0-41".
  package var referenceSummary: String {
    let layers = transformer.expertLayers
    return transformer.coupling.rawValue
      + (layers.isEmpty ? ", no expert" : ", expert in blocks \(ComponentSummary.ranges(layers))")
  }

  /// - Parameter architecture: of the family.
  func transformerSummary(_ architecture: String, textTokens: Int) throws -> ComponentSummary {
    typealias Fact = ComponentSummary.Fact
    let facts = [
      Fact("architecture", architecture + (transformer.hasExpert ? " with Mixture-of-Transformers expert" : "")),
      Fact("layers", transformer.layerCount),
      Fact("expert layers", ComponentSummary.ranges(transformer.expertLayers)),
      Fact("heads", "\(transformer.headCount) of \(transformer.headSize)"), Fact("width", transformer.hiddenSize),
      Fact("channels", "\(transformer.inChannels) in, \(transformer.outChannels) out"),
      Fact("text tokens", textTokens), Fact("made for", naturalGeometry),
    ]
    return try summary("transformer", facts, ignoring: isUnusedKey) { _ = makeDenoiser(in: $0) }
  }

  /// - Parameters: temporalRatio, spatialRatio: pixels to a latent.
  func autoencoderFacts(
    _ architecture: String, blockChannels: [Int], latentChannels: Int, temporalRatio: Int, spatialRatio: Int
  ) -> [ComponentSummary.Fact] {
    typealias Fact = ComponentSummary.Fact
    return [
      Fact("architecture", architecture), Fact("block channels", blockChannels),
      Fact("latent channels", latentChannels),
      Fact("compression", "\(temporalRatio) x \(spatialRatio) x \(spatialRatio)"),
    ]
  }

  func textEncoderSummary(_ architecture: String, _ configuration: T5EncoderConfiguration) throws -> ComponentSummary {
    typealias Fact = ComponentSummary.Fact
    return try summary(
      "text_encoder",
      [
        Fact("architecture", architecture), Fact("layers", configuration.layerCount),
        Fact("width", configuration.hiddenSize), Fact("vocabulary", configuration.vocabularySize),
      ], ignoring: T5Encoder.isTiedKey
    ) { _ = T5Encoder($0, configuration) }
  }
}
