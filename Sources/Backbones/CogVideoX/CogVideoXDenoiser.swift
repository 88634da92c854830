import Compute
import Layers
import Tensors
import VideoTransformers

/// The CogVideoX transformer with its rotary tables.
package struct CogVideoXDenoiser: VideoPromptDenoiser {
  private let model: CogVideoXTransformer

  package init(_ model: CogVideoXTransformer) { self.model = model }

  /// Of clean references the expert is told the target's timestep.
  package func predictAll(
    _ latents: Tensor, timestep: Double, referenceTimesteps: [Float]?, _ conditions: CogVideoXConditions,
    _ options: BackboneOptions
  ) throws -> (target: Tensor, references: Tensor?) {
    let batch = conditions.text.shape[0]
    let configuration = model.configuration
    let frames = latents.shape[1]
    let grid = configuration.rotaryGrid(frames: frames, height: latents.shape[3], width: latents.shape[4])
    let isRotary = configuration.usesRotaryEmbeddings
    let reference = conditions.reference.map { reference in
      CogVideoXInput.Reference(
        latents: reference.latents.repeated(batch), text: reference.text,
        rotary: isRotary
          ? grid.referenceTable(count: reference.latents.shape[1] / frames, configuration.positionDesign) : nil,
        timesteps: referenceTimesteps)
    }
    let input = CogVideoXInput(
      latents: Tensor.concatenated([latents, conditions.image], axis: 2).repeated(batch), text: conditions.text,
      timesteps: Array(repeating: Float(timestep), count: batch), rotary: isRotary ? grid.targetTable() : nil,
      reference: reference)
    return try model.predict(input, context: options.context)
  }
}
