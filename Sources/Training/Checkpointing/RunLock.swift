import Foundation
import Runtime

/// Keeps a second process out of a run's folder for as long as it lives.
///
/// The system lets go of the lock when its process ends, however it ends: a file left by a dead process locks nobody out.
package final class RunLock: Sendable {
  private let descriptor: Int32

  /// Throws `CheckpointFailure.locked` if another process holds the lock.
  package init(path: String) throws {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileFailure(path: path, action: "make the run's lock") }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      let owner = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
      close(descriptor)
      guard code == EWOULDBLOCK else { throw FileFailure(path: path, action: "lock", code: code) }
      let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
      throw CheckpointFailure.locked(path: folder, owner: printable(owner.prefix { $0 != "\n" }))
    }
    self.descriptor = descriptor
    let text = Array("process \(getpid())\n".utf8)
    ftruncate(descriptor, 0)
    try text.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
  }

  deinit {
    // A child that is being started may hold a copy of the descriptor, with which the lock would live on.
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }
}
