import EmbeddedModels
import Foundation
import Runtime

/// Pipelines as they are named on command lines and in files: by path, or by the name of one that comes with the program.
///
/// The name wins over a folder of the same name in the current folder, which can be given as `./mini`.
enum PipelineName {
  /// The directory of a pipeline; throws `EmbeddedModelFailure`, or `UsageFailure` for a name that is nearly one.
  static func directory(_ name: String) throws -> String {
    if let model = EmbeddedModel(rawValue: name) { return try model.directory }
    if !name.contains("/"), !FileManager.default.fileExists(atPath: name),
      let near = NearestName.among(EmbeddedModel.allCases.map(\.rawValue), to: name)
    {
      throw UsageFailure(
        "there is no folder '\(printable(name))'; did you mean '\(near)', which comes with the program?")
    }
    return name
  }

  /// A name that stands in a file of settings: paths are relative to the file's folder.
  static func resolve(_ name: String, beside file: String) -> String {
    EmbeddedModel(rawValue: name) == nil ? SettingsFile.resolve(name, beside: file) : name
  }
}
