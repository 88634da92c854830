import Checkpoints
import Foundation
import Runtime

/// `manifest.json` of a checkpoint: written last, so its presence says that the checkpoint is complete.
package struct CheckpointManifest: Sendable, Equatable, Codable {
  package static let currentFormat = 1
  static let fileName = "manifest.json"

  package struct File: Sendable, Equatable, Codable {
    /// Relative to the checkpoint's folder.
    package let name: String
    package let bytes: Int
    package let sha256: String
  }

  package let format: Int
  /// Name and version of the program that wrote it.
  package let program: String
  package let progress: TrainingProgress
  package let run: RunIdentity
  /// Length of the run's log when the checkpoint was made.
  package let logBytes: Int
  package let files: [File]

  init(progress: TrainingProgress, run: RunIdentity, logBytes: Int, files: [File]) {
    format = Self.currentFormat
    program = "vap \(programVersion)"
    self.progress = progress
    self.run = run
    self.logBytes = logBytes
    self.files = files
  }

  private struct Format: Decodable { let format: Int }

  /// Reads the manifest of the checkpoint in `directory`; throws `CheckpointFailure` or the failure of a file.
  init(directory: String) throws {
    let path = "\(directory)/\(Self.fileName)"
    guard let file = try ConfigFile(ifPresentAt: path) else { throw CheckpointFailure.incomplete(path: directory) }
    // Other formats may lack fields, so theirs is looked at first.
    let format = try file.decode(Format.self).format
    guard format == Self.currentFormat else { throw CheckpointFailure.format(path: directory, found: format) }
    self = try file.decode(CheckpointManifest.self)
    guard progress.isPossible, logBytes >= 0, files.allSatisfy({ $0.bytes >= 0 && Self.isInside($0.name) }) else {
      throw CheckpointFailure.manifest(path: path, problem: "holds impossible values")
    }
  }

  func write(to directory: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(try encoder.encode(self), to: "\(directory)/\(Self.fileName)")
  }

  /// Whether a name leads to a place in the checkpoint's own folder.
  private static func isInside(_ name: String) -> Bool {
    !name.isEmpty && !name.hasPrefix("/") && !name.utf8.contains(0) && !name.split(separator: "/").contains("..")
  }
}
