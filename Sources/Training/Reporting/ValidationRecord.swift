import Checkpoints
import Foundation
import Runtime

/// What was generated after a step to be looked at: `validation/step-000100.json`, beside its clip.
package struct ValidationRecord: Sendable, Equatable, Codable {
  package let step: Int
  /// Of the clip that was to be made.
  package let caption: String
  /// What the clip shows, left to right.
  package let panels: [String]
  /// By name, such as "psnr".
  package let metrics: [String: Double]

  package init(step: Int, caption: String, panels: [String], metrics: [String: Double]) {
    self.step = step
    self.caption = caption
    self.panels = panels
    // JSON has no other numbers.
    self.metrics = metrics.filter { $0.value.isFinite }
  }

  /// Throws `ConfigError` or `FileFailure`.
  init(path: String) throws { self = try ConfigFile.decode(ValidationRecord.self, at: path) }

  func write(to folder: RunFolder) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(try encoder.encode(self), to: folder.validationRecord(step: step))
  }
}
