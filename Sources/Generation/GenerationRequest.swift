import Backbones
import Media
import Schedulers

/// Everything that decides a generated video. Defaults are the published ones.
package struct GenerationRequest: Sendable {
  package struct Reference: Sendable, Equatable {
    package var path: String
    package var caption: String

    package init(path: String, caption: String) {
      self.path = path
      self.caption = caption
    }
  }

  /// Directory of a published pipeline.
  package var model: String
  /// Folder of a trained expert, laid over the pipeline's transformer.
  package var expert: String?
  /// LoRA files, each with a factor after a colon if it is not 1.
  package var adapters: [String] = []
  package var references: [Reference] = []
  /// The image whose subject the video shows; not needed to decode latents that are denoised already.
  package var image: String?
  package var caption: String
  package var negativeCaption = Self.publishedNegativeCaption
  /// Pixel sizes and frames; nil takes the size that the model was made for.
  package var height: Int?
  package var width: Int?
  package var frames: Int?
  package var frameRate = FrameRate.training
  package var steps = 50
  /// nil takes the constant scale that the model was published with.
  package var guidance: Guidance?
  /// Sampling method; nil takes the one that the checkpoint names.
  package var scheduler: SamplingMethod?
  package var seed: UInt64 = 42
  package var frameSelection = FrameSelection.evenly
  /// Bytes of memory to stay within; nil takes what the machine has.
  package var memoryBudget: Int?
  /// File of latents to start from, or to decode if they are denoised already.
  package var latents: String?

  package init(model: String, image: String?, caption: String) {
    self.model = model
    self.image = image
    self.caption = caption
  }

  /// The negative caption of the published pipelines, for target and references alike.
  package static let publishedNegativeCaption =
    "Bright tones, overexposed, static, blurred details, subtitles, style, works, paintings, images, static, overall "
    + "gray, worst quality, low quality, JPEG compression residue, ugly, incomplete, extra fingers, poorly drawn hands, "
    + "poorly drawn faces, deformed, disfigured, misshapen limbs, fused fingers, still picture, messy background, three "
    + "legs, many people in the background, walking backwards"
}
