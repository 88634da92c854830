import Foundation
import Synchronization

/// The end of a process that is refused memory in the middle of a computation, from where nothing leads back.
///
/// Plans keep this from happening as far as they can tell. What was written by then stays; what was being written has a
/// temporary name, which later runs remove.
package enum MemoryExhaustion {
  private static let advice = Mutex("")

  /// Runs `body`; should memory run out in it, the message ends with `text`.
  package static func advising<Result>(_ text: String, _ body: () throws -> Result) rethrows -> Result {
    let before = advice.withLock { advice in
      defer { advice = text }
      return advice
    }
    defer { advice.withLock { $0 = before } }
    return try body()
  }

  /// Ends the process with one line and the status of failures of resources.
  package static func end(asking byteCount: Int) -> Never {
    let advice = advice.withLock { $0 }
    let text =
      "error: the system refused \(byteText(byteCount)) of memory beside the \(byteText(MachineMemory.resident)) in use; "
      + "raise `ulimit -v`, lower the size, or give --memory" + (advice.isEmpty ? "" : "; \(advice)")
    // A line of progress may stand there.
    let start = isatty(STDERR_FILENO) == 1 ? "\r\u{1B}[K" : ""
    let line = Array((start + text + "\n").utf8)
    _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    // Other threads are in the middle of something: nothing of theirs is torn down.
    _exit(FailureCategory.resources.rawValue)
  }
}
