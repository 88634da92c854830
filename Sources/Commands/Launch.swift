import ArgumentParser
import Compute
import Foundation
import Runtime

extension VAPCommand {
  /// Parses the command line, runs the command, and ends the process with the status its outcome calls for.
  ///
  /// 0 success, 1 a check failed, 2 usage, 3 bad input, 4 resources, 5 internal, 130/143 interrupted.
  package static func launch() -> Never {
    Interruption.install()
    do {
      var command = try parseAsRoot()
      try BLAS.checkThisMachine()
      try command.run()
      // Buffered output that cannot be written (a full disk, a closed pipe) is a failure too.
      guard fflush(nil) == 0 else { throw FileFailure(path: "standard output", action: "write") }
      Foundation.exit(0)
    } catch let failure as any Failure {
      report("error: \(failure.message)")
      Foundation.exit(failure.category == .interrupted ? Interruption.exitStatus : failure.category.rawValue)
    } catch {
      let code = exitCode(for: error)
      guard code != .success else {
        print(fullMessage(for: error))
        Foundation.exit(0)
      }
      if code == .validationFailure {
        report(fullMessage(for: error))
        Foundation.exit(FailureCategory.usage.rawValue)
      }
      if !(error is ExitCode) { report("error: \(message(for: error))") }
      Foundation.exit(error is ExitCode ? code.rawValue : FailureCategory.internal.rawValue)
    }
  }

  private static func report(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
  }
}
