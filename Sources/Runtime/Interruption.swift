import Foundation
import Synchronization

/// The user's wish to stop, set by SIGINT, SIGTERM or SIGHUP and read at safe points.
///
/// The first signal asks; a second one ends the process at once.
package enum Interruption {
  private static let received = Atomic<Int32>(0)

  private static let numbers = [SIGINT, SIGTERM, SIGHUP]

  /// Installs the handlers; call once, early in `main`.
  package static func install() {
    for number in numbers {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { number in
        if Interruption.received.exchange(number, ordering: .relaxed) != 0 { _exit(128 + number) }
      }
      var before = sigaction()
      sigaction(number, nil, &before)
      // `nohup` has the end of a terminal ignored.
      if number == SIGHUP, unsafeBitCast(before.__sigaction_handler.sa_handler, to: Int.self) == 1 { continue }
      sigaction(number, &action, nil)
    }
    // A parent may have started this process from a thread that blocks them, as those of thread pools do.
    var blocked = sigset_t()
    sigemptyset(&blocked)
    for number in numbers { sigaddset(&blocked, number) }
    pthread_sigmask(SIG_UNBLOCK, &blocked, nil)
    // A reader that goes away shows up as a failed write instead of ending the process.
    signal(SIGPIPE, SIG_IGN)
    // So does a file that grows beyond the limit set for this process.
    signal(SIGXFSZ, SIG_IGN)
  }

  package static var isRequested: Bool { received.load(ordering: .relaxed) != 0 }

  /// Exit status of a run that stopped because of the signal: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP; 130 also
  /// where another process of the run got it.
  package static var exitStatus: Int32 {
    let number = received.load(ordering: .relaxed)
    return 128 + (number == 0 ? SIGINT : number)
  }

  /// Throws `Interrupted` if a stop was requested.
  package static func check() throws(Interrupted) {
    if isRequested { throw Interrupted() }
  }
}
