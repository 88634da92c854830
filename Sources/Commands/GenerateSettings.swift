/// The settings of `vap generate`, as flags and as the keys of a YAML file; flags win over the file.
struct GenerateSettings: Codable, NamedSettings, Equatable {
  var model: String?
  var expert: String?
  var adapters: [String]?
  var referenceVideos: [String]?
  var referencePrompts: [String]?
  var image: String?
  var prompt: String?
  var negativePrompt: String?
  var height: Int?
  var width: Int?
  var frames: Int?
  var fps: Double?
  var steps: Int?
  var guidance: Double?
  var dynamicGuidance: Bool?
  var scheduler: String?
  var seed: UInt64?
  var frameSelection: String?
  var memory: String?
  var threads: Int?
  var output: String?
  var crf: Int?
  var sideBySide: Bool?
  var latents: String?
  var saveLatents: String?
  var metadata: Bool?
  var overwrite: Bool?
  var contentFilter: Bool?
  var filterWeights: String?

  enum CodingKeys: String, CodingKey, CaseIterable {
    case model, expert
    case adapters = "lora"
    case referenceVideos = "ref-video"
    case referencePrompts = "ref-prompt"
    case image, prompt
    case negativePrompt = "negative-prompt"
    case height, width, frames, fps, steps, guidance
    case dynamicGuidance = "dynamic-guidance"
    case scheduler, seed
    case frameSelection = "frame-selection"
    case memory, threads, output, crf
    case sideBySide = "side-by-side"
    case latents
    case saveLatents = "save-latents"
    case metadata, overwrite
    case contentFilter = "content-filter"
    case filterWeights = "filter-weights"
  }

  init() {}

  /// Reads a YAML file; relative paths in it are relative to the file's folder.
  init(file path: String) throws {
    let file = try SettingsFile(path: path)
    try file.checkKeys(CodingKeys.allCases.map(\.rawValue))
    self = try file.decode(GenerateSettings.self) ?? GenerateSettings()
    func resolved(_ name: String) -> String { SettingsFile.resolve(name, beside: path) }
    model = model.map { PipelineName.resolve($0, beside: path) }
    expert = expert.map(resolved)
    adapters = adapters?.map(resolved)
    referenceVideos = referenceVideos?.map(resolved)
    image = image.map(resolved)
    latents = latents.map(resolved)
    filterWeights = filterWeights.map(resolved)
  }

  /// These settings where they say something, else those of `file`.
  func over(_ file: GenerateSettings) -> GenerateSettings {
    var merged = file
    merged.model = model ?? file.model
    merged.expert = expert ?? file.expert
    merged.adapters = adapters ?? file.adapters
    merged.referenceVideos = referenceVideos ?? file.referenceVideos
    merged.referencePrompts = referencePrompts ?? file.referencePrompts
    merged.image = image ?? file.image
    merged.prompt = prompt ?? file.prompt
    merged.negativePrompt = negativePrompt ?? file.negativePrompt
    merged.height = height ?? file.height
    merged.width = width ?? file.width
    merged.frames = frames ?? file.frames
    merged.fps = fps ?? file.fps
    merged.steps = steps ?? file.steps
    merged.guidance = guidance ?? file.guidance
    merged.dynamicGuidance = dynamicGuidance ?? file.dynamicGuidance
    merged.scheduler = scheduler ?? file.scheduler
    merged.seed = seed ?? file.seed
    merged.frameSelection = frameSelection ?? file.frameSelection
    merged.memory = memory ?? file.memory
    merged.threads = threads ?? file.threads
    merged.output = output ?? file.output
    merged.crf = crf ?? file.crf
    merged.sideBySide = sideBySide ?? file.sideBySide
    merged.latents = latents ?? file.latents
    merged.saveLatents = saveLatents ?? file.saveLatents
    merged.metadata = metadata ?? file.metadata
    merged.overwrite = overwrite ?? file.overwrite
    merged.contentFilter = contentFilter ?? file.contentFilter
    merged.filterWeights = filterWeights ?? file.filterWeights
    return merged
  }
}
