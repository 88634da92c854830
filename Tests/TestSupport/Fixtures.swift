import Foundation

/// Recorded files that tests compare with, in `Tests/Fixtures`.
package enum Fixtures {
  /// The path of a fixture, given relative to `Tests/Fixtures`.
  package static func path(_ name: String, filePath: String = #filePath) -> String {
    URL(fileURLWithPath: filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Fixtures").appendingPathComponent(name).path
  }
}
