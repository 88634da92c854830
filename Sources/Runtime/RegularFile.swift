import Foundation

/// A regular file opened for reading; closed when the last reference goes.
package final class RegularFile: Sendable {
  /// For messages; bytes of the name that are not UTF-8 are replaced.
  package let path: String
  package let descriptor: Int32
  /// Size and time of last change when the file was opened.
  package let size: Int
  private let modified: (seconds: Int, nanoseconds: Int)

  /// Opens a file by its name's bytes, which need not be UTF-8; refuses directories, pipes and devices.
  package init(pathBytes bytes: [UInt8]) throws(FileFailure) {
    path = String(decoding: bytes, as: UTF8.self)
    guard !bytes.contains(0) else { throw FileFailure(path: path, action: "open", code: ENOENT) }
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let descriptor = (bytes + [0]).withUnsafeBytes { name in
      open(name.assumingMemoryBound(to: CChar.self).baseAddress!, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    }
    guard descriptor >= 0 else { throw FileFailure(path: path, action: "open") }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let failure = FileFailure(path: path, action: "read the size")
      close(descriptor)
      throw failure
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw FileFailure(
        path: path, action: "read it as a regular file", code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
    }
    self.descriptor = descriptor
    size = Int(status.st_size)
    modified = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
  }

  package convenience init(path: String) throws(FileFailure) { try self.init(pathBytes: Array(path.utf8)) }

  deinit { close(descriptor) }

  /// Throws if the file was truncated or rewritten in place since it was opened.
  package func checkUnchanged() throws(FileFailure) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileFailure(path: path, action: "read the size") }
    guard Int(status.st_size) == size, (status.st_mtim.tv_sec, status.st_mtim.tv_nsec) == modified else {
      throw FileFailure(path: path, action: "go on reading: it was changed while in use", code: ESTALE)
    }
  }
}
