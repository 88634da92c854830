import Backbones
import Foundation
import Layers
import Runtime

extension TransformerAdditions {
  /// From what a user gives: a folder, and LoRA files with a factor of their changes, `FILE` or `FILE:0.8`.
  init(expert: String?, adapterTexts: [String]) throws {
    try UsageFailure.checkIsNotEmpty(expert, "--expert")
    try self.init(
      expert: expert,
      adapters: adapterTexts.map { text in
        let (path, scale) = try Self.adapter(text)
        return try AdapterFile(path: path, scale: scale)
      })
  }

  /// A file whose name holds a colon is found under the whole text; a folder stands for the file in it that has the
  /// published name.
  static func adapter(_ text: String) throws -> (path: String, scale: Double) {
    try UsageFailure.checkIsNotEmpty(text, "--lora")
    guard let colon = text.lastIndex(of: ":"), !FileManager.default.fileExists(atPath: text) else {
      return (file(text), 1)
    }
    let factor = String(text[text.index(after: colon)...])
    guard let scale = Double(factor), scale.isFinite else {
      throw UsageFailure(
        "--lora '\(printable(text))': the factor after the colon must be a number, not '\(printable(factor))'")
    }
    return (file(String(text[..<colon])), scale)
  }

  private static func file(_ path: String) -> String {
    let inside = "\(path)/\(AdapterFile.publishedName)"
    return FileManager.default.fileExists(atPath: inside) ? inside : path
  }
}
