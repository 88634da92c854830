import Foundation
import Runtime
import TestSupport
import Testing

/// Copies of a tiny checkpoint with changed fields; they live as long as this value.
final class CheckpointCopies {
  private var kept: [TemporaryDirectory] = []
  private let checkpoint: String

  init(of checkpoint: String) { self.checkpoint = checkpoint }

  /// A copy with changed fields in one of its configurations.
  func copy(
    changing component: String = "transformer/config.json", _ changes: [String: Any] = [:]
  ) throws -> String {
    let temporary = try TemporaryDirectory()
    let path = temporary.file("model")
    try FileManager.default.copyItem(atPath: checkpoint, toPath: path)
    let url = URL(fileURLWithPath: "\(path)/\(component)")
    var fields = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
    fields.merge(changes) { $1 }
    try JSONSerialization.data(withJSONObject: fields).write(to: url)
    kept.append(temporary)
    return path
  }
}

/// The message of the failure that `body` ends with; empty without one.
func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return ""
  } catch {
    return (error as? any Failure)?.message ?? "\(error)"
  }
}
