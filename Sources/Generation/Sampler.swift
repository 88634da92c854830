import Backbones
import Compute
import Foundation
import Layers
import Runtime
import Schedulers
import Synchronization
import Tensors

/// The denoising loop.
package struct Sampler: Sendable {
  package let scheduler: any Scheduler
  package let guidance: Guidance

  package init(scheduler: any Scheduler, guidance: Guidance) {
    self.scheduler = scheduler
    self.guidance = guidance
  }

  /// What one step did, for progress, recording and comparison.
  package struct Step: Sendable {
    package let index: Int
    package let timestep: Double
    package let guidanceScale: Double
    /// The model's raw output: a pair with guidance.
    package let modelOutput: Tensor
    /// The sample after the step.
    package let latents: Tensor
  }

  /// Takes `latents` from pure noise to the result.
  ///
  /// Stops with `GenerationFailure.notFinite` as soon as a prediction or sample is not a number, and with `Interrupted`
  /// between blocks when the user asks.
  package func run<Denoiser: VideoPromptDenoiser>(
    _ denoiser: Denoiser, from latents: Tensor, _ conditions: Denoiser.Conditions, noise: some NoiseSource,
    _ options: BackboneOptions, onStep: (Step) throws -> Void
  ) throws -> Tensor {
    var latents = latents
    var state = SchedulerState()
    let timesteps = scheduler.timesteps
    for (index, timestep) in timesteps.enumerated() {
      let output = try denoiser.predict(latents, timestep: timestep, conditions, options)
      guard output.nonFiniteCount == 0 else {
        let place = try firstNotFinite(options) { options in
          _ = try denoiser.predict(latents, timestep: timestep, conditions, options)
        }
        throw GenerationFailure.notFinite(step: index + 1, of: timesteps.count, place: place)
      }
      let scale = guidance.scale(at: timestep, steps: timesteps.count)
      let prediction =
        options.isGuided
        ? Guidance.prediction(
          unconditional: output.sliced(0, 0..<1), conditional: output.sliced(0, 1..<2), scale: scale) : output
      var draw = 0
      latents = try scheduler.step(&state, modelOutput: prediction, sample: latents) {
        defer { draw += 1 }
        return try noise.noise(for: .sampling(step: index, draw: draw), shape: latents.shape)
      }
      guard latents.nonFiniteCount == 0 else {
        throw GenerationFailure.notFinite(step: index + 1, of: timesteps.count, place: "the latents")
      }
      try onStep(
        Step(index: index, timestep: timestep, guidanceScale: scale, modelOutput: output, latents: latents))
    }
    return latents
  }

  /// Repeats a prediction with an observer, to name the first intermediate tensor that is not all numbers.
  private func firstNotFinite(
    _ options: BackboneOptions, _ predict: (BackboneOptions) throws -> Void
  ) rethrows -> String {
    let first = Mutex<String?>(nil)
    let context = RunContext { name, tensor in
      first.withLock { found in
        if found == nil, tensor.nonFiniteCount > 0 { found = name }
      }
    }
    try predict(BackboneOptions(context: context, usesTiles: options.usesTiles, isGuided: options.isGuided))
    return first.withLock { $0 } ?? "the model's output"
  }
}
