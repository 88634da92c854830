import ArgumentParser
import Compute
import Foundation

/// Options of every command that computes.
struct ComputeOptions: ParsableArguments {
  @Option(help: "Threads to compute on; results do not depend on it.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  func validate() throws {
    guard (1...1024).contains(threads) else { throw ValidationError("--threads must be 1...1024, not \(threads)") }
  }

  func apply() { Workers.threadCount = threads }
}
