import Autoencoders
import Checkpoints
import Encoders
import Layers
import VideoTransformers

extension CogVideoXBackbone {
  /// Opens every component and holds its weights against its configuration; throws if any do not fit.
  package func components() throws -> [ComponentSummary] {
    typealias Fact = ComponentSummary.Fact
    _ = try loadTokenizer()
    return [
      try summary(
        "transformer",
        [
          Fact("architecture", "CogVideoX" + (transformer.hasExpert ? " with Mixture-of-Transformers expert" : "")),
          Fact("layers", transformer.layerCount), Fact("expert layers", Self.ranges(transformer.expertLayers)),
          Fact("heads", "\(transformer.headCount) of \(transformer.headSize)"), Fact("width", transformer.hiddenSize),
          Fact("channels", "\(transformer.inChannels) in, \(transformer.outChannels) out"),
          Fact("text tokens", transformer.maxTextLength), Fact("made for", naturalGeometry),
        ]
      ) { _ = CogVideoXTransformer($0, transformer) },
      try summary(
        "vae",
        [
          Fact("architecture", "CogVideoX autoencoder"), Fact("block channels", autoencoder.blockChannels),
          Fact("latent channels", autoencoder.latentChannels),
          Fact(
            "compression", "\(autoencoder.temporalRatio) x \(autoencoder.spatialRatio) x \(autoencoder.spatialRatio)"),
          Fact("scaling factor", autoencoder.scalingFactor),
        ]
      ) { _ = CogVideoXAutoencoder($0, autoencoder) },
      try summary(
        "text_encoder",
        [
          Fact("architecture", "T5 encoder"), Fact("layers", textEncoder.layerCount),
          Fact("width", textEncoder.hiddenSize), Fact("vocabulary", textEncoder.vocabularySize),
        ], ignoring: T5Encoder.isTiedKey
      ) { _ = T5Encoder($0, textEncoder) },
    ]
  }

  private func summary(
    _ name: String, _ facts: [ComponentSummary.Fact], ignoring ignorable: (String) -> Bool = { _ in false },
    _ build: (ParameterScope) -> Void
  ) throws -> ComponentSummary {
    let store = try WeightStore(directory: "\(directory)/\(name)")
    let loader = ParameterLoader(store)
    build(loader.root)
    let unexpected = try loader.finish(ignoring: ignorable)
    return ComponentSummary(name: name, facts: facts, store: store, unexpected: unexpected)
  }

  /// "0-40" or "0, 2, 5-7"; "none" for an empty list.
  private static func ranges(_ layers: [Int]) -> String {
    var runs: [ClosedRange<Int>] = []
    for layer in layers.sorted() {
      if let last = runs.last, last.upperBound + 1 == layer {
        runs[runs.count - 1] = last.lowerBound...layer
      } else {
        runs.append(layer...layer)
      }
    }
    let texts = runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
    return texts.isEmpty ? "none" : texts.joined(separator: ", ")
  }
}
