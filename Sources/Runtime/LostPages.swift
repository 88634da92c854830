import Foundation

/// The end of a process that touches a part of a mapped file which is no longer there.
///
/// Nothing leads back from such a read, and no check before it could be in time for all of them. What was written by then
/// stays.
package enum LostPages {
  /// Has such a read end the process with one line and the status of failures of resources; call once, early in `main`.
  package static func install() {
    var action = sigaction()
    action.sa_flags = SA_SIGINFO
    action.__sigaction_handler.sa_sigaction = { number, info, _ in
      // BUS_ADRERR is 2: a place behind the file's end, or that a disk does not give. Others are faults of the program.
      guard let code = info?.pointee.si_code, code == 2 else {
        signal(number, SIG_DFL)
        return
      }
      // Only what may be called in a handler: no memory is asked for.
      let line: StaticString =
        "error: a file of weights was cut short or could not be read while it was in use; restore it, and start again\n"
      _ = write(STDERR_FILENO, line.utf8Start, line.utf8CodeUnitCount)
      _exit(4)
    }
    sigaction(SIGBUS, &action, nil)
  }
}
