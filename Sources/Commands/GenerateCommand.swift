import ArgumentParser
import Backbones
import Compute
import Foundation
import Generation
import Media
import Runtime

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Make a video in which an image's subject undergoes what a reference video shows.",
    discussion: """
      Defaults are the published ones, or those of a file generation.yaml in the model's folder. The size and number of \
      frames default to those that the model was made for (480x720 for CogVideoX-5B, 480x832 for Wan 2.1, 49 frames).

      Example: vap generate --model CogVideoX-VAP --ref-video melting.mp4 --ref-prompt "A toy car melts into gold." \
      --image horse.png --prompt "A chestnut horse melts into gold." --output horse.mp4
      """)

  @Option(
    help:
      "YAML file of settings: the keys are these options' names; options given here win. Paths of inputs in it are relative to the file.",
    completion: .file())
  var config: String?

  @Option(
    help: """
      Directory of a published pipeline (model_index.json, transformer, vae, ...), or mini, the small model that comes with \
      the program (default: mini).
      """, completion: .directory)
  var model: String?

  @Option(
    help: "Folder of a trained expert: its config.json and the weights that differ from the model's.",
    completion: .directory)
  var expert: String?

  @Option(
    name: .customLong("lora"), help: "LoRA file of the transformer, FILE or FILE:0.8 to weaken it; several add up.",
    completion: .file())
  var adapters: [String] = []

  @Option(
    name: .customLong("ref-video"), help: "Video that shows the semantic; up to three, earliest first.",
    completion: .file())
  var referenceVideos: [String] = []

  @Option(name: .customLong("ref-prompt"), help: "Caption of each reference video, in the same order.")
  var referencePrompts: [String] = []

  @Option(help: "Picture (or video, then its first frame) whose subject the new video shows.", completion: .file())
  var image: String?

  @Option(help: "Caption of the new video.")
  var prompt: String?

  @Option(help: "What the new video should not be; the published list by default, \"\" for nothing.")
  var negativePrompt: String?

  @Option(parsing: .unconditional, help: "Height in pixels.") var height: Int?
  @Option(parsing: .unconditional, help: "Width in pixels.") var width: Int?
  @Option(parsing: .unconditional, help: "Number of frames, 4k + 1; best 8k + 1.") var frames: Int?
  @Option(parsing: .unconditional, help: "Frames per second of the output (default: the model's advice, or 16).")
  var fps: Double?
  @Option(parsing: .unconditional, help: "Denoising steps (default: the model's advice, or 50).") var steps: Int?
  @Option(
    parsing: .unconditional,
    help: """
      Classifier-free guidance scale; 1 turns guidance off and halves the time (default: the model's advice, or 6 for \
      CogVideoX and 5 for Wan).
      """)
  var guidance: Double?
  @Flag(inversion: .prefixedNo, help: "Vary the guidance scale over the steps as the published scripts do.")
  var dynamicGuidance: Bool?
  @Option(
    help: "Sampling method: ddim or dpm for CogVideoX, unipc or euler for Wan (default: the one the checkpoint names).")
  var scheduler: String?
  @Option(
    parsing: .unconditional, help: "Seed of all random numbers; the same seed gives the same bytes (default: 42).")
  var seed: UInt64?
  @Option(help: "Which frames of a longer reference: evenly, first or random (default: evenly).")
  var frameSelection: String?
  @Option(help: "Memory to stay within, for example 8G (default: all that the machine has).") var memory: String?
  @Option(parsing: .unconditional, help: "Threads to compute on; results do not depend on it.") var threads: Int?

  @Option(
    name: .shortAndLong, help: "File to write: .mp4, .mkv (lossless), .gif, or folder/ of PNGs (default: out.mp4).")
  var output: String?
  @Option(parsing: .unconditional, help: "Quality of .mp4: 0 (lossless) to 51 (default: 18).") var crf: Int?
  @Flag(inversion: .prefixedNo, help: "Also write references, image and new video beside each other.")
  var sideBySide: Bool?
  @Option(help: "Latents to start from instead of noise, or denoised ones to decode only.", completion: .file())
  var latents: String?
  @Option(help: "Keep the denoised latents in this file.") var saveLatents: String?
  @Flag(inversion: .prefixedNo, help: "Store the settings in the output's metadata (default: yes).")
  var metadata: Bool?
  @Flag(inversion: .prefixedNo, help: "Replace an existing output.") var overwrite: Bool?
  @Flag(
    inversion: .prefixedNo,
    help: "Refuse captions in clearly harmful categories, and frames that look so if --filter-weights is given.")
  var contentFilter: Bool?
  @Option(help: "Directory with CLIP's weights, for the content filter's look at the frames.", completion: .directory)
  var filterWeights: String?

  func run() throws {
    let file = try config.map { try GenerateSettings(file: $0) } ?? GenerateSettings()
    let flags = flags
    let job = try SettingsFile.naming(config, except: flags.names) { try GenerateJob(flags.over(file)) }
    try job.run()
  }

  private var flags: GenerateSettings {
    var settings = GenerateSettings()
    settings.model = model
    settings.expert = expert
    settings.adapters = adapters.isEmpty ? nil : adapters
    settings.referenceVideos = referenceVideos.isEmpty ? nil : referenceVideos
    settings.referencePrompts = referencePrompts.isEmpty ? nil : referencePrompts
    settings.image = image
    settings.prompt = prompt
    settings.negativePrompt = negativePrompt
    settings.height = height
    settings.width = width
    settings.frames = frames
    settings.fps = fps
    settings.steps = steps
    settings.guidance = guidance
    settings.dynamicGuidance = dynamicGuidance
    settings.scheduler = scheduler
    settings.seed = seed
    settings.frameSelection = frameSelection
    settings.memory = memory
    settings.threads = threads
    settings.output = output
    settings.crf = crf
    settings.sideBySide = sideBySide
    settings.latents = latents
    settings.saveLatents = saveLatents
    settings.metadata = metadata
    settings.overwrite = overwrite
    settings.contentFilter = contentFilter
    settings.filterWeights = filterWeights
    return settings
  }
}
