import ArgumentParser
import Runtime
import Verification

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Compare this build with recorded results of the published implementation.",
    discussion: """
      Runs every case of a golden directory (cases.json, tensors, a tiny checkpoint) and prints one line per case. \
      Exits with 1 if any case fails.

      Example: vap verify Tests/Fixtures/cogvideox-tiny
      """)

  @Argument(help: "The golden directory.", completion: .directory)
  var directory: String

  func run() throws {
    let passed = try Verifier(directory: directory).run { print($0.line) }
    if !passed { throw ExitCode(1) }
  }
}
