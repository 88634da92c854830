@preconcurrency import Glibc

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

  /// Writes what is buffered for standard output; throws if that, or anything written before, did not reach its place.
  package static func flush() throws(FileFailure) {
    let action = "write all of the report"
    guard fflush(nil) == 0 else { throw FileFailure(path: "standard output", action: action) }
    // Of what went out while the command ran, only a mark is left.
    guard ferror(stdout) == 0 else { throw FileFailure(path: "standard output", action: action, code: EIO) }
  }
}
