import Autoencoders
import Compute
import Layers
import Schedulers
import Tensors
import VideoTransformers

/// A CogVideoX transformer with the published objective: it predicts the velocity of a noised target beside clean
/// references, and is judged on the noiseless target that its prediction implies.
package struct CogVideoXTraining: TrainingModel {
  package let parameters: [Parameter]
  private let transformer: CogVideoXTransformer
  let denoiser: CogVideoXDenoiser
  let schedule: NoiseSchedule
  private let latents: CogVideoXLatents
  private let latentShape: Shape
  private let lowersTimesteps: Bool
  private let noisyReferences: NoisyReferences?
  private let objective: ObjectivePlan

  /// - Parameters:
  ///   - parameters: of the transformer.
  ///   - latentShape: of every clip, `[1, F, C, H, W]`.
  ///   - noisyReferenceLevels: from how many of the lowest noise levels a reference's is drawn, for a model that predicts
  ///     references too; nil leaves them clean.
  package init(
    _ transformer: CogVideoXTransformer, parameters: [Parameter], latentShape: Shape, schedule: NoiseSchedule,
    autoencoder: CogVideoXAutoencoderConfig, noisyReferenceLevels: Int? = nil,
    objective: ObjectivePlan = ObjectivePlan(), faults: PublishedFaults = []
  ) {
    self.objective = objective
    noisyReferences = NoisyReferences(levels: noisyReferenceLevels, for: transformer.configuration)
    self.parameters = parameters
    self.transformer = transformer
    latents = CogVideoXLatents(autoencoder: autoencoder)
    self.latentShape = latentShape
    var schedule = schedule
    schedule.roundsAmplitudes = faults.contains(.roundedAmplitudes)
    self.schedule = schedule
    denoiser = CogVideoXDenoiser(transformer)
    lowersTimesteps = faults.contains(.loweredTimesteps)
  }

  /// Whether the references have noise and losses of their own.
  var noisesReferences: Bool { noisyReferences != nil }

  package func isUnread(_ key: String) -> Bool { transformer.makesUnreadQueries(key) }

  /// A trained expert's position table is frozen, but not in the base model's weights.
  package func accompaniesTrained(_ key: String) -> Bool {
    CogVideoXTransformer.isExpertTable(key)
      && parameters.contains { $0.isTrainable && CogVideoXTransformer.isExpertWeight($0.key) }
  }

  package func loss(
    target: EncodedClip, references: [EncodedClip], draws: TrainingDraws, context: RunContext
  ) throws -> Tensor {
    try evaluate(target: target, references: references, draws: draws, context: context).loss
  }

  /// A loss and what it was computed from; latents `[1, F, C, H, W]`.
  package struct Evaluation: Sendable {
    package let timestep: Int
    /// The noiseless target.
    package let target: Tensor
    package let noisy: Tensor
    package let conditions: CogVideoXConditions
    /// The noiseless target that the model's prediction implies.
    package let prediction: Tensor
    package let loss: Tensor
  }

  /// loss = mean(1 / (1 - a_t) (prediction - target)^2), which is a plain mean over errors of the velocity.
  package func evaluate(
    target clip: EncodedClip, references: [EncodedClip], draws: TrainingDraws, context: RunContext
  ) throws -> Evaluation {
    let sample = try noised(DrawnSample(target: clip, references: references, draws: draws), timestep(draws.level))
    let timestep = sample.timestep
    let velocities = try denoiser.predictAll(
      sample.noisy, timesteps: [Double(timestep)], referenceTimesteps: sample.references?.timesteps.map(Float.init),
      sample.conditions, BackboneOptions(context: context, isGuided: false))
    let prediction = schedule.velocity(of: velocities.target, noise: sample.noisy, at: [timestep])
    var loss = loss(of: prediction, sample.target, at: timestep)
    if objective.clipEnergy != nil { loss = loss.scaled(by: Float(weight(of: sample.target))) }
    if let noisyReferences, let noised = sample.references, let others = velocities.references {
      let clean = sample.clean
      loss = noisyReferences.total(loss, predictions: others, count: clean.count, frameAxis: 1) { index, velocity in
        let (timestep, latents) = (noised.timesteps[index], noised.latents[index])
        return self.loss(
          of: schedule.velocity(of: velocity, noise: latents, at: [timestep]), clean[index], at: timestep)
      }
    }
    return Evaluation(
      timestep: timestep, target: sample.target, noisy: sample.noisy, conditions: sample.conditions,
      prediction: prediction, loss: loss)
  }

  private func loss(of prediction: Tensor, _ target: Tensor, at timestep: Int) -> Tensor {
    let error = prediction - target
    let weight = 1 / (1 - schedule.cumulativeAlphas[timestep])
    return (error * error).sum().scaled(by: Float(weight / Double(target.count)))
  }

  /// By the plan, from the energy of what happens in a clip.
  func weight(of target: Tensor) -> Double {
    let frames = (0..<target.shape[1]).map { target.sliced(1, $0..<$0 + 1) }
    let energy = frames.dropFirst().reduce(0.0) { $0 + ($1 - frames[0]).squaredNorm() } / Double(target.count)
    return objective.weight(energy: energy)
  }

  /// A sample as the denoiser sees it.
  struct NoisedSample {
    let timestep: Int
    /// The noiseless target, and the same with noise.
    let target: Tensor
    let noisy: Tensor
    /// The noiseless references, and the same with noise where they have any.
    let clean: [Tensor]
    let references: (timesteps: [Int], latents: [Tensor])?
    let conditions: CogVideoXConditions
  }

  func noised(_ sample: DrawnSample, _ timestep: Int) throws -> NoisedSample {
    let draws = sample.draws
    let target = try video(sample.target, .target, draws)
    let clean = try sample.references.enumerated().map { try video($1, .reference($0), draws) }
    let noised = try noised(clean, draws)
    let noise = try draws.noise.noise(for: .initialLatents, shape: target.shape)
    return NoisedSample(
      timestep: timestep, target: target, noisy: schedule.noised(target, with: noise, at: [timestep]), clean: clean,
      references: noised,
      conditions: try conditions(sample.target, sample.references, videos: noised?.latents ?? clean, draws))
  }

  /// The references with noise, each at one of the lowest levels; nil where they stay clean.
  private func noised(
    _ references: [Tensor], _ draws: TrainingDraws
  ) throws -> (timesteps: [Int], latents: [Tensor])? {
    guard let noisyReferences else { return nil }
    let timesteps = references.indices.map { index in
      let timestep = noisyReferences.rank(index, draws)
      return lowersTimesteps ? NoiseSchedule.trainingTimestep(timestep) : timestep
    }
    let noised = try noisyReferences.noised(references, draws) { schedule.noised($1, with: $2, at: [timesteps[$0]]) }
    return (timesteps, noised.latents)
  }

  /// The published table falls from the last timestep to 0.
  func timestep(_ level: Double) -> Int {
    let count = schedule.cumulativeAlphas.count
    let timestep = count - 1 - min(Int(objective.level(level) * Double(count)), count - 1)
    return lowersTimesteps ? NoiseSchedule.trainingTimestep(timestep) : timestep
  }

  private func conditions(
    _ target: EncodedClip, _ references: [EncodedClip], videos: [Tensor], _ draws: TrainingDraws
  ) throws -> CogVideoXConditions {
    guard !references.isEmpty || !transformer.configuration.hasExpert else { throw TrainingSampleFailure.noReference }
    let clips = try references.enumerated().map { index, clip in
      Tensor.concatenated(
        [videos[index], try condition(clip, .referenceFirstFrame(index), draws)], axis: 2)
    }
    let texts = try references.map(text)
    return CogVideoXConditions(
      image: try condition(target, .image, draws), text: try text(target),
      reference: clips.isEmpty
        ? nil : .init(latents: .concatenated(clips, axis: 1), text: .concatenated(texts, axis: 1)))
  }

  private func video(_ clip: EncodedClip, _ purpose: NoisePurpose, _ draws: TrainingDraws) throws -> Tensor {
    let posterior = try posterior(clip, "video", frames: latentShape[1])
    return latents.video(posterior, noise: try draws.noise.noise(for: purpose, shape: posterior.mean.shape))
  }

  private func condition(_ clip: EncodedClip, _ purpose: NoisePurpose, _ draws: TrainingDraws) throws -> Tensor {
    let posterior = try posterior(clip, "image", frames: 1)
    return latents.condition(
      posterior, noise: try draws.noise.noise(for: purpose, shape: posterior.mean.shape), frames: latentShape[1])
  }

  private func posterior(_ clip: EncodedClip, _ name: String, frames: Int) throws -> LatentPosterior {
    LatentPosterior(
      moments: try clip.tensor(name, shape: [1, 2 * latentShape[2], frames, latentShape[3], latentShape[4]]))
  }

  private func text(_ clip: EncodedClip) throws -> Tensor {
    let configuration = transformer.configuration
    return try clip.tensor("text", shape: [1, configuration.maxTextLength, configuration.textEmbeddingSize])
  }
}
