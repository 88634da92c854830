import EmbeddedModels

/// Pipelines as they are named on command lines and in files: by path, or by the name of one that comes with the program.
///
/// The name wins over a folder of the same name in the current folder, which can be given as `./mini`.
enum PipelineName {
  /// The directory of a pipeline; throws `EmbeddedModelFailure`.
  static func directory(_ name: String) throws(EmbeddedModelFailure) -> String {
    try EmbeddedModel(rawValue: name)?.directory ?? name
  }

  /// A name that stands in a file of settings: paths are relative to the file's folder.
  static func resolve(_ name: String, beside file: String) -> String {
    EmbeddedModel(rawValue: name) == nil ? SettingsFile.resolve(name, beside: file) : name
  }
}
