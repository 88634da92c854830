import Autoencoders
import Compute
import Layers
import Schedulers
import Tensors
import VideoTransformers

/// A Wan transformer with the published objective: it predicts the flow from a noised target to noise, beside clean
/// references; or the references' too, where they are noised.
package struct WanTraining: TrainingModel {
  package let parameters: [Parameter]
  private let transformer: WanTransformer
  private let denoiser: WanDenoiser
  private let noising: FlowNoising
  private let latents: WanLatents
  private let latentShape: Shape
  private let pictureTokens: Int
  private let faults: PublishedFaults
  private let noisyReferences: NoisyReferences?

  /// - Parameters:
  ///   - parameters: of the transformer.
  ///   - latentShape: of every clip, `[1, C, F, H, W]`.
  ///   - pictureTokens: tokens that the image encoder makes of a picture.
  ///   - noisyReferenceLevels: from how many of the lowest noise levels a reference's is drawn, for a model that predicts
  ///     references too; nil leaves them clean.
  package init(
    _ transformer: WanTransformer, parameters: [Parameter], latentShape: Shape, noising: FlowNoising,
    autoencoder: WanAutoencoderConfig, pictureTokens: Int, noisyReferenceLevels: Int? = nil,
    faults: PublishedFaults = []
  ) {
    self.parameters = parameters
    self.transformer = transformer
    self.noising = noising
    latents = WanLatents(autoencoder: autoencoder)
    self.latentShape = latentShape
    self.pictureTokens = pictureTokens
    self.faults = faults
    noisyReferences = NoisyReferences(levels: noisyReferenceLevels, for: transformer.configuration)
    denoiser = WanDenoiser(transformer)
  }

  package func isUnread(_ key: String) -> Bool { transformer.makesUnreadQueries(key) }

  package func loss(
    target: EncodedClip, references: [EncodedClip], draws: TrainingDraws, context: RunContext
  ) throws -> Tensor {
    try evaluate(target: target, references: references, draws: draws, context: context).loss
  }

  /// A loss and what it was computed from; latents `[1, C, F, H, W]`.
  package struct Evaluation: Sendable {
    package let level: Float
    package let timestep: Double
    package let noisy: Tensor
    package let conditions: WanConditions
    /// The flow that the model is to predict, and its prediction.
    package let target: Tensor
    package let prediction: Tensor
    package let loss: Tensor
  }

  /// loss = mean((prediction - flow)^2)
  package func evaluate(
    target clip: EncodedClip, references: [EncodedClip], draws: TrainingDraws, context: RunContext
  ) throws -> Evaluation {
    let level = noising.level(at: draws.level)
    let timestep = timestep(of: level)
    let original = try video(clip, .target, draws)
    let clean = try references.enumerated().map { try video($1, .reference($0), draws) }
    let noised = try noised(clean, draws)
    let conditions = try conditions(clip, references, videos: noised?.latents ?? clean)
    let noise = try draws.noise.noise(for: .initialLatents, shape: original.shape)
    let noisy = noising.noised(original, with: noise, at: level)
    let target = noising.flow(of: original, noise: noise)
    let predictions = try denoiser.predictAll(
      noisy, timestep: timestep, referenceTimesteps: noised?.timesteps, conditions,
      BackboneOptions(context: context, isGuided: false))
    var loss = loss(of: predictions.target, target)
    if let noisyReferences, let noised, let others = predictions.references {
      loss = noisyReferences.total(loss, predictions: others, count: clean.count, frameAxis: 2) {
        self.loss(of: $1, noised.flows[$0])
      }
    }
    return Evaluation(
      level: level, timestep: timestep, noisy: noisy, conditions: conditions, target: target,
      prediction: predictions.target, loss: loss)
  }

  private func loss(of prediction: Tensor, _ target: Tensor) -> Tensor {
    let error = prediction - target
    return (error * error).sum().scaled(by: 1 / Float(target.count))
  }

  private func timestep(of level: Float) -> Double {
    noising.timestep(of: level, truncates: faults.contains(.loweredTimesteps))
  }

  /// The references with noise, each at one of the lowest levels, and their flows; nil where they stay clean.
  private func noised(
    _ references: [Tensor], _ draws: TrainingDraws
  ) throws -> (timesteps: [Float], latents: [Tensor], flows: [Tensor])? {
    guard let noisyReferences else { return nil }
    let levels = references.indices.map {
      noising.level(index: noising.levelCount - 1 - noisyReferences.rank($0, draws))
    }
    let noised = try noisyReferences.noised(references, draws) { noising.noised($1, with: $2, at: levels[$0]) }
    return (
      levels.map { Float(timestep(of: $0)) }, noised.latents,
      zip(references, noised.noise).map { noising.flow(of: $0, noise: $1) }
    )
  }

  private func conditions(
    _ target: EncodedClip, _ references: [EncodedClip], videos: [Tensor]
  ) throws -> WanConditions {
    guard !references.isEmpty || !transformer.configuration.hasExpert else { throw TrainingSampleFailure.noReference }
    let clips = try references.enumerated().map { index, clip in
      Tensor.concatenated([videos[index], try condition(clip)], axis: 1)
    }
    let (texts, pictures) = (try references.map(text), try references.map(picture))
    return WanConditions(
      image: try condition(target), picture: try picture(target), text: try text(target),
      reference: clips.isEmpty
        ? nil
        : .init(
          count: clips.count, latents: .concatenated(clips, axis: 2), pictures: .concatenated(pictures, axis: 1),
          text: .concatenated(texts, axis: 1)))
  }

  /// Sampled from the posterior, also for references, which stay clean.
  private func video(_ clip: EncodedClip, _ purpose: NoisePurpose, _ draws: TrainingDraws) throws -> Tensor {
    let moments = try clip.tensor("video", shape: shape(channels: 2 * latentShape[1]))
    return latents.video(
      moments: moments, noise: try draws.noise.noise(for: purpose, shape: latentShape),
      normalizesVariances: faults.contains(.normalizedVariances))
  }

  private func condition(_ clip: EncodedClip) throws -> Tensor {
    latents.condition(mean: try clip.tensor("image", shape: latentShape))
  }

  private func shape(channels: Int) -> Shape { Shape([1, channels] + latentShape.extents.dropFirst(2)) }

  private func text(_ clip: EncodedClip) throws -> Tensor {
    try clip.tensor("text", shape: [1, WanConfiguration.textLength, transformer.configuration.textEmbeddingSize])
  }

  private func picture(_ clip: EncodedClip) throws -> Tensor {
    try clip.tensor("picture", shape: [1, pictureTokens, transformer.configuration.imageEmbeddingSize])
  }
}
