import ArgumentParser

struct EncodeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "encode",
    abstract: "Encode a data set's clips and captions ahead of training.",
    discussion: """
      Fills a folder with the results of the frozen encoders, which training then reads instead of running them. A file is \
      kept under the digest of the video, the encoders and the size, so several models and sizes can share a folder. What \
      is there is not encoded again: an interrupted run goes on where it stopped.

      Settings can come from the YAML file of `vap train`; options given here win.

      Example: vap encode --model CogVideoX-VAP --data data/VAP-Data --cache latents
      """)

  @Argument(help: "YAML file of settings: the keys are these options' names.", completion: .file())
  var config: String?

  @Option(help: "Directory of a published pipeline.", completion: .directory) var model: String?
  @Option(help: "The manifest (vap_data.csv) or its folder.", completion: .file()) var data: String?
  @Option(help: "Folder that the manifest's paths are relative to (default: the manifest's).", completion: .directory)
  var root: String?
  @Option(help: "Folder to fill; made if there is none.", completion: .directory) var cache: String?
  @Option(help: "Height in pixels (default: the model's).") var height: Int?
  @Option(help: "Width in pixels.") var width: Int?
  @Option(help: "Number of frames.") var frames: Int?
  @Option(help: "Which frames of longer clips: evenly or first (default: evenly).") var frameSelection: String?
  @Option(help: "Videos must score more than this (default: 0).") var scoreThreshold: Double?
  @Option(help: "Only this condition.") var condition: String?
  @Flag(inversion: .prefixedNo, help: "Run the autoencoder in tiles: less memory, slightly other values.")
  var tiles: Bool?
  @Option(help: "Rows and videos that may be bad before the run ends: a number or a percentage (default: 1%).")
  var maxBad: String?
  @Flag(inversion: .prefixedNo, help: "Follow links that lead out of the data folder.") var followLinks: Bool?
  @Option(help: "none, or reference: faults of the published training that lie in its encoders (default: none).")
  var compatibility: String?

  @OptionGroup var compute: ComputeOptions

  func run() throws {
    compute.apply()
    let file = try config.map { try EncodeSettings(file: $0) } ?? EncodeSettings()
    let flags = flags
    try SettingsFile.naming(config, except: flags.names) { try EncodeJob(flags.over(file)) }.run()
  }

  private var flags: EncodeSettings {
    var settings = EncodeSettings()
    settings.model = model
    settings.data = data
    settings.root = root
    settings.cache = cache
    settings.height = height
    settings.width = width
    settings.frames = frames
    settings.frameSelection = frameSelection
    settings.scoreThreshold = scoreThreshold
    settings.condition = condition
    settings.tiles = tiles
    settings.maxBad = maxBad
    settings.followLinks = followLinks
    settings.compatibility = compatibility
    return settings
  }
}
