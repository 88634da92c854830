import Foundation

/// Standard input, output and error of the process.
package enum StandardStreams {
  /// Puts /dev/null in place of those that are closed; call before anything is opened, as a file would get the number of
  /// one of them, and with it what is written to that stream.
  package static func fill() {
    while true {
      let descriptor = open("/dev/null", O_RDWR)
      guard descriptor >= 0 else { return }
      if descriptor > STDERR_FILENO {
        close(descriptor)
        return
      }
    }
  }
}
