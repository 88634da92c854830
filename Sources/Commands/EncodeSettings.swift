/// The settings of `vap encode`, as flags and as the keys of a YAML file.
struct EncodeSettings: Codable, NamedSettings, Equatable {
  var model: String?
  var data: String?
  var root: String?
  var cache: String?
  var height: Int?
  var width: Int?
  var frames: Int?
  var frameSelection: String?
  var scoreThreshold: Double?
  var condition: String?
  var tiles: Bool?
  var maxBad: String?
  var followLinks: Bool?
  var compatibility: String?

  enum CodingKeys: String, CodingKey, CaseIterable {
    case model, data, root, cache, height, width, frames
    case frameSelection = "frame-selection"
    case scoreThreshold = "score-threshold"
    case condition, tiles
    case maxBad = "max-bad"
    case followLinks = "follow-links"
    case compatibility
  }

  init() {}

  /// Reads a YAML file; relative paths in it are relative to the file's folder, and keys of training are passed over.
  init(file path: String) throws {
    self = try SettingsFile(path: path).decode(EncodeSettings.self) ?? EncodeSettings()
    model = model.map { PipelineName.resolve($0, beside: path) }
    data = data.map { SettingsFile.resolve($0, beside: path) }
    root = root.map { SettingsFile.resolve($0, beside: path) }
    cache = cache.map { SettingsFile.resolve($0, beside: path) }
  }

  /// These settings where they say something, else those of `file`.
  func over(_ file: EncodeSettings) -> EncodeSettings {
    var merged = file
    merged.model = model ?? file.model
    merged.data = data ?? file.data
    merged.root = root ?? file.root
    merged.cache = cache ?? file.cache
    merged.height = height ?? file.height
    merged.width = width ?? file.width
    merged.frames = frames ?? file.frames
    merged.frameSelection = frameSelection ?? file.frameSelection
    merged.scoreThreshold = scoreThreshold ?? file.scoreThreshold
    merged.condition = condition ?? file.condition
    merged.tiles = tiles ?? file.tiles
    merged.maxBad = maxBad ?? file.maxBad
    merged.followLinks = followLinks ?? file.followLinks
    merged.compatibility = compatibility ?? file.compatibility
    return merged
  }
}
