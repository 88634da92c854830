import Compute
import Layers
import Tensors
import VideoTransformers

/// The Wan transformer with its rotary tables.
package struct WanDenoiser: VideoPromptDenoiser {
  /// What the expert is told of the references, which are clean: the smallest training timestep, at every step.
  private static let referenceTimestep: Float = 1

  private let model: WanTransformer

  package init(_ model: WanTransformer) { self.model = model }

  package func predictAll(
    _ latents: Tensor, timestep: Double, referenceTimesteps: [Float]?, _ conditions: WanConditions,
    _ options: BackboneOptions
  ) throws -> (target: Tensor, references: Tensor?) {
    let batch = conditions.text.shape[0]
    let grid = model.configuration.rotaryGrid(latents.shape)
    let input = WanInput(
      latents: Tensor.concatenated([latents, conditions.image], axis: 1).repeated(batch), text: conditions.text,
      image: conditions.picture.repeated(batch), timesteps: Array(repeating: Float(timestep), count: batch),
      rotary: grid.targetTable(),
      reference: conditions.reference.map { reference in
        WanInput.Reference(
          latents: reference.latents.repeated(batch), text: reference.text, image: reference.pictures.repeated(batch),
          timesteps: referenceTimesteps ?? Array(repeating: Self.referenceTimestep, count: reference.count),
          rotary: grid.referenceTable(count: reference.count, model.configuration.positionDesign))
      })
    return try model.predict(input, context: options.context)
  }
}
