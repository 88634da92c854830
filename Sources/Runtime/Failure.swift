import Foundation

/// The class of a failure; it decides the exit status of the program.
package enum FailureCategory: Int32, Sendable {
  /// The command line or a configuration contradicts itself.
  case usage = 2
  /// A file or value from outside is not what it must be.
  case badInput = 3
  /// The machine lacks memory, disk space, a codec or a permission.
  case resources = 4
  /// A defect of this program.
  case `internal` = 5
  /// The user asked the run to stop (128 + SIGINT).
  case interrupted = 130
}

/// An error with a message for the user: one line that names the file and field and says how to mend it.
package protocol Failure: LocalizedError, Sendable {
  var category: FailureCategory { get }
  var message: String { get }
}

extension Failure {
  package var errorDescription: String? { message }

  /// The status that the process ends with because of it.
  package var exitStatus: Int32 { category == .interrupted ? Interruption.exitStatus : category.rawValue }
}

/// A failure of the operating system at a path.
package struct FileFailure: Failure, Equatable {
  package let path: String
  package let action: String
  package let code: Int32

  package init(path: String, action: String, code: Int32 = errno) {
    self.path = path
    self.action = action
    self.code = code
  }

  package var category: FailureCategory {
    switch code {
    case ENOSPC, EDQUOT, EFBIG, EROFS, EACCES, EPERM, EMFILE, ENOMEM, EIO, EPIPE: .resources
    default: .badInput
    }
  }

  package var message: String {
    "\(printable(path, limit: 1024)): cannot \(action): \(String(cString: strerror(code)))"
  }
}

/// Thrown at the next safe point after the user asked the run to stop.
package struct Interrupted: Failure, Equatable {
  /// What became of the work.
  private let outcome: String

  package init(_ outcome: String = "nothing was left half written") { self.outcome = outcome }
  package var category: FailureCategory { .interrupted }
  package var message: String { "interrupted; \(outcome)" }
}

/// One line of printable text: control characters become visible escapes and the middle of long text is cut.
///
/// Everything quoted from a file (names, fields) passes through here before it reaches a terminal.
package func printable(_ text: some StringProtocol, limit: Int = 120) -> String {
  var result = ""
  var count = 0
  for scalar in text.unicodeScalars {
    guard count < limit else { return result + "…" }
    count += 1
    let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value == 0x2028
    result += isControl ? scalar.escaped(asASCII: true) : String(scalar)
  }
  return result
}
