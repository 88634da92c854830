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

  /// How a process ended.
  package struct Outcome {
    /// Its status, or 128 and the number of the signal that ended it.
    package let status: Int32
    /// What it wrote to standard error.
    package let errors: String
  }

  /// Runs the program to its end.
  ///
  /// - Parameters:
  ///   - environment: variables besides those of this process.
  ///   - before: shell commands that run first, in the process that becomes the program.
  package static func run(
    _ arguments: [String], environment: [String: String] = [:], before: String = ""
  ) throws -> Outcome {
    let output = Pipe()
    let process = try start(arguments, environment: environment, before: before, standardError: output)
    let errors = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let isSignal = process.terminationReason == .uncaughtSignal
    return Outcome(status: (isSignal ? 128 : 0) + process.terminationStatus, errors: errors)
  }

  /// Starts it, with parameters as above.
  package static func start(
    _ arguments: [String], environment: [String: String] = [:], before: String = "",
    standardError: Any? = FileHandle.nullDevice
  ) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", before + "exec \"$@\"", "bash", try path()] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardError = standardError
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    return process
  }
}
