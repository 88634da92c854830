import Backbones
import Foundation
import Layers

/// What tables call a system that nobody named: its model, and what sets it apart from others of that model.
enum SystemName {
  /// Such as "mini + step-000016, no references".
  ///
  /// - Parameters:
  ///   - model: directory of the pipeline.
  ///   - adapters: LoRA files, as they are given with --lora.
  /// Throws `UsageFailure` for a --lora that names no file.
  static func make(model: String, expert: String?, adapters: [String], showsReferences: Bool) throws -> String {
    let parts = [last(model)] + [expert].compactMap { $0.map(last) } + (try adapters.map(adapter))
    return parts.joined(separator: " + ") + (showsReferences ? "" : ", no references")
  }

  /// The last component of a path.
  static func last(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.lastPathComponent }

  /// The file's name; its folder's where all files have the same name.
  private static func adapter(_ text: String) throws -> String {
    let (path, scale) = try TransformerAdditions.adapter(text)
    let url = URL(fileURLWithPath: path).standardizedFileURL
    let isPublished = url.lastPathComponent == AdapterFile.publishedName
    let named = isPublished ? url.deletingLastPathComponent() : url.deletingPathExtension()
    return named.lastPathComponent + (scale == 1 ? "" : ":\(scale)")
  }
}
