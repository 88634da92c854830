import Foundation

/// The program itself, for tests that need a process of their own, which signals can reach.
package enum BuiltProgram {
  package struct NotBuilt: Error, CustomStringConvertible {
    package let description: String
  }

  /// Where it is built, which is beside the tests.
  package static func path() throws -> String {
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let path = URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("vap").path
    guard FileManager.default.isExecutableFile(atPath: path) else {
      throw NotBuilt(description: "\(path) is not built")
    }
    return path
  }
}
