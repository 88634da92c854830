import Backbones
import EmbeddedModels
import Foundation
import Generation
import Runtime

/// The model of a generation, with what its makers advise.
struct GenerationModel {
  /// Of the pipeline.
  let directory: String
  /// Settings that hold unless others are given.
  private let advice: GenerateSettings
  /// The file with what they advise, if they do.
  private let file: String?
  /// What to know of the model before its results are judged.
  let note: String?

  /// Settings that say how videos are best made, and not which.
  private static let keys: [GenerateSettings.CodingKeys] = [
    .steps, .guidance, .dynamicGuidance, .scheduler, .fps, .negativePrompt, .frameSelection,
  ]

  private struct Note: Decodable {
    static let key = "note"
    /// Characters that are shown of it.
    static let longest = 500
    let note: String?
  }

  /// - Parameter name: a path, or the name of an embedded pipeline; nil for the embedded one.
  /// Throws `UsageFailure`, `EmbeddedModelFailure` or `SettingsFailure`.
  init(_ name: String?) throws {
    let name = name ?? EmbeddedModel.mini.rawValue
    guard !name.isEmpty else { throw UsageFailure("--model is empty: give the directory of a pipeline") }
    directory = try PipelineName.directory(name)
    let path = "\(directory)/\(PipelineAdvice.fileName)"
    // A link that leads nowhere is a file that cannot be read.
    guard Folder.hasEntry(at: path) else {
      (advice, file, note) = (GenerateSettings(), nil, nil)
      return
    }
    let file = try SettingsFile(path: path)
    try file.checkKeys(Self.keys.map(\.rawValue) + [Note.key])
    advice = try file.decode(GenerateSettings.self) ?? GenerateSettings()
    self.file = path
    note = try file.decode(Note.self)?.note.map { printable($0, limit: Note.longest) }
  }

  /// What the model is asked for, with what its makers advise where the settings say nothing.
  func request(_ settings: GenerateSettings) throws -> GenerationRequest {
    try SettingsFile.naming(file, except: settings.names) {
      try GenerateJob.request(settings.over(advice), model: directory)
    }
  }
}
