import ArgumentParser
import Compute
import Foundation
import Runtime

extension VAPCommand {
  /// Runs the program on the process's arguments and ends it with the status that the outcome calls for.
  package static func launch() -> Never {
    StandardStreams.fill()
    Interruption.install()
    LostPages.install()
    // Swift repairs such arguments silently; a name that was repaired is the name of no file.
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = CommandLine.unsafeArgv[index], String(validatingCString: argument) == nil else { continue }
      report(
        "error: argument \(index), '\(printable(String(cString: argument)))', is not UTF-8 text; "
          + "rename the file or give a link to it")
      Foundation.exit(FailureCategory.usage.rawValue)
    }
    Foundation.exit(run(Array(CommandLine.arguments.dropFirst())))
  }

  /// Parses the command line and runs the command.
  ///
  /// - Returns: 0 success, 1 a check failed, 2 usage, 3 bad input, 4 resources, 5 internal, 130/143 interrupted.
  package static func run(_ arguments: [String]) -> Int32 {
    do {
      try execute(arguments)
      return 0
    } catch let failure as any Failure {
      report("error: \(failure.message)")
      return failure.exitStatus
    } catch let code as ExitCode {
      return code.rawValue
    } catch {
      let isUsage = exitCode(for: error) == .validationFailure
      report("error: \(oneLine(message(for: error), of: arguments))" + (isUsage ? " (see --help)" : ""))
      return (isUsage ? FailureCategory.usage : .internal).rawValue
    }
  }

  /// Runs the command, or prints the help that is asked for. Output that cannot be written (a full disk, a closed pipe) is a
  /// failure too.
  private static func execute(_ arguments: [String]) throws {
    do {
      var command = try parseAsRoot(arguments)
      try BLAS.checkThisMachine()
      try command.run()
    } catch let code as ExitCode {
      try StandardStreams.flush()
      throw code
    } catch let request where !(request is any Failure) && exitCode(for: request) == .success {
      print(fullMessage(for: request))
    }
    try StandardStreams.flush()
  }

  /// A message of the argument parser, whose further lines list what would be allowed, as one line.
  private static func oneLine(_ message: String, of arguments: [String]) -> String {
    let lines = message.split(separator: "\n").map { $0.drop { " -".contains($0) } }
    guard let first = lines.first else { return "unusable command line" }
    let text = lines.count == 1 ? "\(first)" : "\(first) \(lines.dropFirst().joined(separator: ", "))"
    let commands = configuration.subcommands.compactMap { $0.configuration.commandName }
    guard let command = arguments.first, !command.hasPrefix("-"), !commands.contains(command) else { return text }
    return "\(text); commands are \(commands.joined(separator: ", "))"
  }

  private static func report(_ text: String) {
    // Nobody may be left to read it; the status still tells.
    try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
  }
}
