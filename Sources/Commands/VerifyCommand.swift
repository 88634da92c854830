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
    let verifier = try Verifier(directory: directory)
    var failed = 0
    let passed = try verifier.run { result in
      print(result.line)
      if case .failed = result.verdict { failed += 1 }
    }
    print("\(verifier.cases.count - failed) of \(verifier.cases.count) cases passed")
    if !passed { throw ExitCode(1) }
  }
}
