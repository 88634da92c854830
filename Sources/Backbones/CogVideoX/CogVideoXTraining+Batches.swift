import Layers
import Tensors

extension CogVideoXTraining {
  /// The sum of the samples' losses, as `evaluate` defines them, from one pass through the transformer.
  package func loss(of samples: [DrawnSample], context: RunContext) throws -> Tensor {
    guard !noisesReferences else {
      let losses = try samples.map {
        try loss(target: $0.target, references: $0.references, draws: $0.draws, context: context)
      }
      return Tensor.concatenated(losses, axis: 0).sum()
    }
    let noised = try samples.map { try self.noised($0, timestep($0.draws.level)) }
    let (prediction, target) = try predict(noised, context)
    let error = prediction - target
    let size = target.count / noised.count
    let weights = noised.map { sample in
      let own = weight(of: sample.target) / (1 - schedule.cumulativeAlphas[sample.timestep])
      return Tensor.filled([1, size], with: Float(own / Double(size)))
    }
    return (error * error * Tensor.concatenated(weights, axis: 0).reshaped(error.shape)).sum()
  }

  /// The noiseless targets as the model predicts them from pure noise in one step, and as they are: `[B, F, C, H, W]`.
  package func predictFromNoise(
    _ samples: [DrawnSample], context: RunContext = RunContext()
  ) throws -> (prediction: Tensor, target: Tensor) {
    try predict(samples.map { try noised($0, timestep(0)) }, context)
  }

  private func predict(_ samples: [NoisedSample], _ context: RunContext) throws -> (prediction: Tensor, target: Tensor)
  {
    func joined(_ part: (NoisedSample) -> Tensor) -> Tensor { .concatenated(samples.map(part), axis: 0) }
    let references = samples.compactMap(\.conditions.reference)
    let conditions = CogVideoXConditions(
      image: joined(\.conditions.image), text: joined(\.conditions.text),
      reference: references.isEmpty
        ? nil
        : .init(
          latents: .concatenated(references.map(\.latents), axis: 0),
          text: .concatenated(references.map(\.text), axis: 0)
        ))
    let (noisy, timesteps) = (joined(\.noisy), samples.map(\.timestep))
    let velocities = try denoiser.predictAll(
      noisy, timesteps: timesteps.map(Double.init), referenceTimesteps: nil, conditions,
      BackboneOptions(context: context, isGuided: false))
    return (schedule.velocity(of: velocities.target, noise: noisy, at: timesteps), joined(\.target))
  }
}
