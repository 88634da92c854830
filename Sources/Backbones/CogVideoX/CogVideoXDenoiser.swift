import Compute
import Layers
import Tensors
import VideoTransformers

/// The CogVideoX transformer with its rotary tables.
package struct CogVideoXDenoiser: VideoPromptDenoiser {
  private let model: CogVideoXTransformer

  package init(_ model: CogVideoXTransformer) { self.model = model }

  package func predictAll(
    _ latents: Tensor, timestep: Double, referenceTimesteps: [Float]?, _ conditions: CogVideoXConditions,
    _ options: BackboneOptions
  ) throws -> (target: Tensor, references: Tensor?) {
    try predictAll(
      latents, timesteps: [timestep], referenceTimesteps: referenceTimesteps, conditions, options)
  }

  /// As above for several samples. Of clean references the expert is told the target's timestep, as published; one that was
  /// trained on noised references, and learned to read from the timestep how much noise there is, is told that there is none.
  ///
  /// - Parameter latents: one sample, which all captions share, or one for each caption; so also `timesteps`.
  func predictAll(
    _ latents: Tensor, timesteps: [Double], referenceTimesteps: [Float]?, _ conditions: CogVideoXConditions,
    _ options: BackboneOptions
  ) throws -> (target: Tensor, references: Tensor?) {
    let batch = conditions.text.shape[0]
    func shared(_ tensor: Tensor) -> Tensor { tensor.shape[0] == batch ? tensor : tensor.repeated(batch) }
    let configuration = model.configuration
    let frames = latents.shape[1]
    let grid = configuration.rotaryGrid(frames: frames, height: latents.shape[3], width: latents.shape[4])
    let isRotary = configuration.usesRotaryEmbeddings
    let reference = conditions.reference.map { reference in
      let count = reference.latents.shape[1] / frames
      let clean = configuration.predictsReferences ? [Float](repeating: 0, count: count) : nil
      return CogVideoXInput.Reference(
        latents: shared(reference.latents), text: reference.text,
        rotary: isRotary ? grid.referenceTable(count: count, configuration.positionDesign) : nil,
        timesteps: referenceTimesteps ?? clean)
    }
    let input = CogVideoXInput(
      latents: shared(.concatenated([latents, conditions.image], axis: 2)), text: conditions.text,
      timesteps: (0..<batch).map { Float(timesteps[timesteps.count == 1 ? 0 : $0]) },
      rotary: isRotary ? grid.targetTable() : nil, reference: reference)
    return try model.predict(input, context: options.context)
  }
}
